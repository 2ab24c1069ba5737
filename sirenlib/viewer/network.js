/* needs: frame algebra */
/* A sine network as it travels in the page, evaluated in 64 bits. */

/* From {widths, omegas, weights}: widths has the inputs, the width of each layer and
   the outputs; omegas one factor a layer, null for a linear one; weights, in base64,
   each layer's matrix and then its bias. omega_0 is multiplied into both. */
function readNetwork({ widths, omegas, weights }) {
  const numbers = typeof weights === "string" ? floats(weights) : weights;
  let start = 0;
  const take = (count, factor) => {
    start += count;
    return Float64Array.from(numbers.subarray(start - count, start), (w) => w * factor);
  };
  const layers = omegas.map((omega, i) => {
    const [inputs, outputs] = [widths[i], widths[i + 1]];
    const W = take(outputs * inputs, omega ?? 1);
    return { inputs, outputs, sine: omega !== null, W, b: take(outputs, omega ?? 1) };
  });
  return { layers, outputs: widths[widths.length - 1] };
}

/* The outputs at N points: an array (N, outputs). With derivatives it is
   (4 N, outputs): the values, the slopes along the rows, those along the columns, and
   the Laplacians, carried through the layers together (chapter 9). */
function evaluateNetwork(network, coords, derivatives = false) {
  const points = coords.length / 2;
  let state = coords;
  if (derivatives) {
    state = new Float64Array(8 * points);
    state.set(coords);
    for (let i = 0; i < points; i++) {
      state[2 * (points + i)] = 1;
      state[2 * (2 * points + i) + 1] = 1;
    }
  }
  const rows = derivatives ? 4 * points : points;
  for (const { inputs, outputs, sine, W, b } of network.layers) {
    const next = new Float64Array(rows * outputs);
    timesTransposed(state, W, next, rows, outputs, inputs);
    const block = points * outputs;
    for (let i = 0; i < block; i++) next[i] += b[i % outputs];
    if (sine) throughSine(next, block, derivatives);
    state = next;
  }
  return state;
}

function throughSine(state, block, derivatives) {
  for (let i = 0; i < block; i++) {
    const phase = state[i];
    const sine = Math.sin(phase);
    state[i] = sine;
    if (!derivatives) continue;
    const cosine = Math.cos(phase);
    const row = state[block + i], column = state[2 * block + i];
    state[3 * block + i] =
      cosine * state[3 * block + i] - sine * (row * row + column * column);
    state[block + i] = cosine * row;
    state[2 * block + i] = cosine * column;
  }
}
