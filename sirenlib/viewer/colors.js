/* needs: frame network */
/* The colors of what the network says, and their scales. */

/* Four bytes for point i of a state as evaluateNetwork gives it. */
function pixelColor({ mode, edges }, state, i, points, outputs, colors) {
  if (mode === "value") {
    const bytes = [0, 0, 0, 255];
    for (let k = 0; k < 3; k++) {
      if (k >= outputs && outputs > 1) continue;
      const value = state[i * outputs + (outputs > 1 ? k : 0)];
      bytes[k] = Math.round(255 * between((value - edges[0]) / (edges[1] - edges[0])));
    }
    return bytes;
  }
  const { gradient: [row, column], laplacian } = meanOf(state, i, points, outputs);
  const unit = mode === "gradient"
    ? Math.hypot(row, column) / edges[1] : 0.5 + (0.5 * laplacian) / edges[1];
  const place = Math.round(255 * between(unit)) + (mode === "gradient" ? 0 : 256);
  return colors.subarray(4 * place, 4 * place + 4);
}

/* Gradient and Laplacian of the mean of the outputs at point i. */
function meanOf(state, i, points, outputs) {
  const mean = (block) => {
    let sum = 0;
    for (let k = 0; k < outputs; k++) sum += state[(block * points + i) * outputs + k];
    return sum / outputs;
  };
  return { gradient: [mean(1), mean(2)], laplacian: mean(3) };
}

/* Where the brightest hundredth of the gradient and of the Laplacian begins. */
function fieldEdges(network, [top, left, tall, wide], count = 32) {
  const coords = new Float64Array(2 * count * count);
  for (let i = 0; i < count * count; i++) {
    coords[2 * i] = top + ((Math.floor(i / count) + 0.5) / count) * tall;
    coords[2 * i + 1] = left + (((i % count) + 0.5) / count) * wide;
  }
  const state = evaluateNetwork(network, coords, true);
  const fields = { gradient: [], laplacian: [] };
  for (let i = 0; i < count * count; i++) {
    const { gradient, laplacian } = meanOf(state, i, count * count, network.outputs);
    fields.gradient.push(Math.hypot(...gradient));
    fields.laplacian.push(Math.abs(laplacian));
  }
  const edge = (values) => values.sort((a, b) => a - b)[Math.floor(0.99 * values.length)];
  return { gradient: [0, edge(fields.gradient) || 1],
    laplacian: [0, edge(fields.laplacian) || 1] };
}
