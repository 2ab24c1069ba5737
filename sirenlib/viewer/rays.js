/* needs: network */
/* The eye that looks at a shape, and rays that follow a network, in 64 bits. */

const scaled = (vector3, factor) => vector3.map((each) => each * factor);
const plus = (one, other) => one.map((each, i) => each + other[i]);
const dotOf = (one, other) => one.reduce((sum, each, i) => sum + each * other[i], 0);
const unitOf = (vector3) => scaled(vector3, 1 / (Math.hypot(...vector3) || 1));

/* Where the eye is, and its directions, as `rays` in Python has them. Those to the right
   and up reach from the middle of the drawing to its edge. */
function eyeAt({ turn, tilt, zoom }, { low, high, camera: { away, wide } }) {
  const back = [Math.cos(tilt) * Math.cos(turn), Math.cos(tilt) * Math.sin(turn),
    Math.sin(tilt)];
  const right = [-Math.sin(turn), Math.cos(turn), 0];
  const up = [-Math.sin(tilt) * Math.cos(turn), -Math.sin(tilt) * Math.sin(turn),
    Math.cos(tilt)];
  const radius = Math.hypot(...high.map((last, i) => last - low[i])) / 2;
  const middle = scaled(plus(low, high), 0.5);
  const light = unitOf(plus(plus(scaled(right, -0.5), scaled(up, 0.7)), back));
  return { eye: plus(middle, scaled(back, away * radius)), light,
    right: scaled(right, wide / zoom), up: scaled(up, wide / zoom),
    forward: scaled(back, -1) };
}

/* What a cut leaves of the box: the part away from the eye. `cut` is the number of an
   axis, or -1. */
function boxOf({ low, high }, { cut, place }, eye) {
  if (cut < 0) return { low, high };
  const end = (edge, whole) => whole.map((each, i) => (i === cut ? edge : each));
  const edge = low[cut] + place * (high[cut] - low[cut]);
  return eye[cut] > edge
    ? { low, high: end(edge, high) } : { low: end(edge, low), high };
}

/* From where to where a ray is in a box, and through which axis's side it comes in. */
function insideBox({ low, high }, eye, through) {
  let [near, far, face] = [-Infinity, Infinity, 0];
  for (let i = 0; i < 3; i++) {
    const ends = [(low[i] - eye[i]) / through[i], (high[i] - eye[i]) / through[i]];
    const first = Math.min(...ends);
    if (first > near) [near, face] = [first, i];
    far = Math.min(far, Math.max(...ends));
  }
  return { near, far, face };
}

/* Follow rays {through, near, far, face}: each gets `depth`, how far it goes from the
   eye to the surface, NaN for never, and `inside`, whether the box has cut the shape
   where it comes in. */
function followRays(layers, { bound, tolerance, steps }, eye, rays) {
  let going = rays.filter((ray) => {
    Object.assign(ray, { depth: NaN, inside: false, at: ray.near });
    return ray.near < ray.far;
  });
  for (let step = 0; step < steps && going.length; step++) {
    const points = pointsOf(eye, going, (ray) => ray.at);
    const values = evaluateTile(layers, points, false);
    going = going.filter((ray, i) => {
      ray.inside = step === 0 && values[i] < 0;
      if (ray.inside || Math.abs(values[i]) < tolerance) {
        ray.depth = ray.at;
        return false;
      }
      ray.at += values[i] / bound;
      return ray.at < ray.far;
    });
  }
}

function pointsOf(eye, rays, depthOf) {
  const points = new Float64Array(3 * rays.length);
  rays.forEach((ray, i) => {
    points.set(plus(eye, scaled(ray.through, depthOf(ray))), 3 * i);
  });
  return points;
}

/* Value and slopes of the network where each ray has come to. */
function slopesAlong(layers, eye, rays, depthOf) {
  const count = rays.length;
  const state = evaluateTile(layers, pointsOf(eye, rays, depthOf), true);
  return rays.map((_, i) => ({ value: state[i],
    slopes: [1, 2, 3].map((block) => state[block * count + i]) }));
}
