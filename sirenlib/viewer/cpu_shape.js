/* needs: frame rays passes */
/* A sine network sphere-traced without a graphics processor. */

class ShapePasses extends Passes {
  constructor(network, spec) {
    super();
    this.most = 192 ** 2;  // pixels of a drawing
    this.layers = network.tiles[0];
    this.spec = spec;
    this.colors = bytes(spec.colors);
  }

  color(scene, image, first, count) {
    const { spec, layers } = this;
    const view = eyeAt(scene, spec);
    const left = boxOf(spec, scene, view.eye);
    const pixel = (depth) => (2 * Math.hypot(...view.up) * depth) / image.height;
    const rays = Array.from({ length: count }, (_, i) => {
      const [row, column] = [Math.floor((first + i) / image.width),
        (first + i) % image.width];
      const ray = rayThrough(view, (2 * row + 1) / image.height - 1,
        (2 * column + 1) / image.width - 1);
      return Object.assign(ray, insideBox(left, view.eye, ray.through));
    });
    followRays(layers, spec, view.eye, rays);
    const cuts = rays.filter((ray) =>
      ray.near < ray.far && (ray.inside || ray.face === scene.cut));
    slopesAlong(layers, view.eye, cuts, (ray) => ray.near).forEach((at, i) => {
      cuts[i].field = fieldColor(this, at, cuts[i], pixel(cuts[i].near));
    });
    const hits = rays.filter((ray) => ray.depth > -Infinity && !ray.inside);
    slopesAlong(layers, view.eye, hits, (ray) => ray.depth).forEach((at, i) => {
      hits[i].surface = surfaceColor(this, scene.mode, at, hits[i].through, view.light);
    });
    rays.forEach((ray, i) => {
      const whole = insideBox(spec, view.eye, ray.through);
      const line = (depth) => (whole.near < whole.far
        ? frameColor(spec, plus(view.eye, scaled(ray.through, depth)), pixel(depth))
        : null);
      const stack = [line(whole.near), ray.field, ray.surface, line(whole.far)];
      image.data.set(asPixel(stack), 4 * (first + i));
    });
  }
}

function rayThrough({ right, up, forward }, y, x) {
  const through = unitOf(plus(forward, plus(scaled(right, x), scaled(up, -y))));
  return { through, field: null, surface: null };
}

/* Colors as the shader has them: premultiplied red, green and blue, and alpha. */
function frameColor({ low, high }, point, pixel) {
  const off = point.map((each, i) =>
    Math.min(Math.abs(each - low[i]), Math.abs(each - high[i])));
  const [, second] = off.sort((a, b) => a - b);
  return second < 0.8 * pixel ? [0.25, 0.25, 0.25, 0.5] : null;
}

function tableColor({ colors }, unit) {
  const place = 256 + Math.min(255, Math.floor(256 * between(unit)));
  return Array.from(colors.subarray(4 * place, 4 * place + 4), (byte) => byte / 255);
}

function surfaceColor(material, mode, { slopes }, through, light) {
  let normal = unitOf(slopes);
  if (dotOf(normal, through) > 0) normal = scaled(normal, -1);
  if (mode === 1) return [...normal.map((each) => 0.5 + 0.5 * each), 1];
  if (mode === 2) return tableColor(material, 0.5 * Math.hypot(...slopes));
  const shade = 0.3 + 0.7 * Math.max(0, dotOf(normal, light));
  return [...scaled(material.spec.color, shade), 1];
}

function fieldColor(material, { value, slopes }, { face, inside }, pixel) {
  const { edge, spacing } = material.spec;
  const along = Math.hypot(...slopes.filter((_, i) => i !== face));
  const thin = Math.max(along, 1e-12) * pixel;
  if (Math.abs(value) < 1.6 * thin) return [0, 0, 0, 1];
  const off = Math.abs(value - spacing * Math.round(value / spacing));
  const dark = off < 0.6 * thin ? 0.55 : 1;
  const color = tableColor(material, 0.5 + (0.5 * value) / edge).slice(0, 3);
  return scaled([...scaled(color, dark), 1], inside ? 1 : 0.7);
}

/* Colors one behind the other, some of them null, as four bytes. */
function asPixel(stack) {
  let found = [0, 0, 0, 0];
  for (const color of stack) {
    if (color) found = plus(found, scaled(color, 1 - found[3]));
  }
  const [alpha] = found.slice(3);
  return [...found.slice(0, 3).map((each) => (255 * each) / (alpha || 1)), 255 * alpha];
}
