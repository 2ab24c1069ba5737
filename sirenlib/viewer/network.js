/* needs: frame algebra */
/* A sine network, or a quilt of small ones, as it travels in the page, evaluated in 64
   bits. A network alone is a quilt of one tile. */

/* From {widths, omegas, weights}, and {tiles, overlap, window} of a quilt: widths has
   the inputs, the width of each layer and the outputs; omegas one factor a layer, null
   for a linear one; weights, in base64, tile after tile each layer's matrix and then its
   bias. omega_0 is multiplied into both, and the way from the page's coordinates to
   those of the tile into the first layer's: so every tile is asked at the same ones. */
function readNetwork({ tiles: given, overlap = 0, window, ...form }) {
  const { widths, omegas, weights } = form;
  const counts = given ?? new Array(widths[0]).fill(1);
  const numbers = typeof weights === "string" ? floats(weights) : weights;
  const axes = counts.map((count, i) => {
    const [first, last] = window?.[i] ?? [-1, 1];
    return { count, first, perUnit: count / (last - first), overlap };
  });
  let start = 0;
  const take = (count, factor) => {
    start += count;
    const taken = new Float64Array(numbers.subarray(start - count, start));
    for (let i = 0; i < count; i++) taken[i] *= factor;
    return taken;
  };
  const readTile = (place) => {
    const layers = omegas.map((omega, i) => {
      const [inputs, outputs] = [widths[i], widths[i + 1]];
      const W = take(outputs * inputs, omega ?? 1);
      return { inputs, outputs, sine: omega !== null, W, b: take(outputs, omega ?? 1) };
    });
    axes.forEach((axis, i) => moveInto(layers[0], i, axis, place[i]));
    return layers;
  };
  const behind = (i) => counts.slice(i).reduce((product, count) => product * count, 1);
  const tiles = Array.from({ length: behind(0) }, (_, tile) =>
    readTile(counts.map((count, i) => Math.floor(tile / behind(i + 1)) % count)));
  return { axes, tiles, outputs: widths[widths.length - 1] };
}

/* Let a first layer take the page's coordinate i in place of its tile's own. */
function moveInto({ inputs, outputs, W, b }, i, { first, perUnit, overlap }, tile) {
  const half = (1 + overlap) / 2;
  const middle = first * perUnit + tile + 0.5;
  for (let j = 0; j < outputs; j++) {
    b[j] -= W[inputs * j + i] * (middle / half);
    W[inputs * j + i] *= perUnit / half;
  }
}

/* The tiles along an axis that are in the blend at x: before the nearest seam, and
   behind it. Each with its share, and the share's first two derivatives. */
function sidesOf({ count, first, perUnit, overlap }, x) {
  if (count === 1) return [{ tile: 0, share: 1, slope: 0, bend: 0 }];
  const at = (x - first) * perUnit;
  const seam = between(Math.round(at), 1, count - 1);
  const t = between((at - seam) / overlap + 0.5);
  const scale = perUnit / overlap;
  const share = t ** 3 * (10 + t * (6 * t - 15));
  const slope = 30 * scale * (t * (1 - t)) ** 2;
  const bend = 60 * scale ** 2 * t * (1 - t) * (1 - 2 * t);
  return [{ tile: seam - 1, share: 1 - share, slope: -slope, bend: -bend },
    { tile: seam, share, slope, bend }].filter((side) => side.share > 0);
}

/* For each tile that is in the blend somewhere: at which points, and with what share. */
function piecesOf({ axes: [down, right] }, coords) {
  const pieces = new Map();
  for (let point = 0; point < coords.length / 2; point++) {
    const across = sidesOf(right, coords[2 * point + 1]);
    for (const y of sidesOf(down, coords[2 * point])) {
      for (const x of across) {
        const tile = y.tile * right.count + x.tile;
        if (!pieces.has(tile)) pieces.set(tile, []);
        pieces.get(tile).push({ point, y, x });
      }
    }
  }
  return pieces;
}

/* The outputs at N points: an array (N, outputs). With derivatives it is
   (4 N, outputs): the values, the slopes along the rows, those along the columns, and
   the Laplacians. */
function evaluateNetwork(network, coords, derivatives = false) {
  const points = coords.length / 2;
  const { outputs } = network;
  const state = new Float64Array((derivatives ? 4 : 1) * points * outputs);
  for (const [tile, pieces] of piecesOf(network, coords)) {
    const inside = new Float64Array(2 * pieces.length);
    pieces.forEach(({ point }, i) => {
      inside[2 * i] = coords[2 * point];
      inside[2 * i + 1] = coords[2 * point + 1];
    });
    const found = evaluateTile(network.tiles[tile], inside, derivatives);
    const [from, to] = [pieces.length * outputs, points * outputs];
    pieces.forEach(({ point, y, x }, i) => {
      for (let k = 0; k < outputs; k++) {
        addPiece(state, point * outputs + k, to, found, i * outputs + k, from, y, x);
      }
    });
  }
  return state;
}

/* Add what a tile gives to what its point has, by the product rule. The numbers of a
   point lie `from` and `to` places apart; without derivatives there is only one. */
function addPiece(state, at, to, found, i, from, y, x) {
  const share = y.share * x.share;
  const value = found[i];
  state[at] += share * value;
  if (found.length === from) return;
  const [down, right] = [y.slope * x.share, y.share * x.slope];
  const [row, column] = [found[i + from], found[i + 2 * from]];
  state[at + to] += share * row + down * value;
  state[at + 2 * to] += share * column + right * value;
  state[at + 3 * to] += share * found[i + 3 * from] + 2 * (down * row + right * column)
    + (y.bend * x.share + y.share * x.bend) * value;
}

/* The same of one tile alone, for any number d of coordinates, all carried through its
   layers together (chapter 10): the values, d blocks of slopes, and the Laplacians. */
function evaluateTile(layers, coords, derivatives) {
  const axes = layers[0].inputs;
  const points = coords.length / axes;
  let state = coords;
  if (derivatives) {
    state = new Float64Array((axes + 2) * axes * points);
    state.set(coords);
    for (let axis = 0; axis < axes; axis++) {
      const block = (axis + 1) * axes * points;
      for (let i = 0; i < points; i++) state[block + axes * i + axis] = 1;
    }
  }
  const rows = derivatives ? (axes + 2) * points : points;
  for (const { inputs, outputs, sine, W, b } of layers) {
    const next = new Float64Array(rows * outputs);
    timesTransposed(state, W, next, rows, outputs, inputs);
    const block = points * outputs;
    for (let i = 0; i < block; i++) next[i] += b[i % outputs];
    if (sine) throughSine(next, block, derivatives ? axes : 0);
    state = next;
  }
  return state;
}

function throughSine(state, block, axes) {
  for (let i = 0; i < block; i++) {
    const phase = state[i];
    const sine = Math.sin(phase);
    state[i] = sine;
    if (!axes) continue;
    const cosine = Math.cos(phase);
    let square = 0;
    for (let at = block + i; at < (axes + 1) * block; at += block) {
      square += state[at] * state[at];
      state[at] *= cosine;
    }
    const last = (axes + 1) * block + i;
    state[last] = cosine * state[last] - sine * square;
  }
}
