/* needs: frame network */
/* The colors of what the network says, and their scales. */

const SLANT = 0.1;  // of the borders between bands: of the width, over the height

/* What is drawn at a place of the drawing, from 0 to 1 down and to the right. */
function modeAt({ mode, cuts }, y, x) {
  if (mode !== "bands") return mode;
  const at = x + SLANT * (y - 0.5);
  return ["value", "gradient", "laplacian"][cuts.filter((cut) => at >= cut).length];
}

/* Four bytes for point i of a state as evaluateNetwork gives it. `edges` are the values
   of black and of white, the largest slope and the largest Laplacian. */
function pixelColor(mode, edges, state, i, points, outputs, colors) {
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
    ? Math.hypot(row, column) / edges[2] : 0.5 + (0.5 * laplacian) / edges[3];
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
  const [slopes, laplacians] = [[], []];
  for (let i = 0; i < count * count; i++) {
    const { gradient, laplacian } = meanOf(state, i, count * count, network.outputs);
    slopes.push(Math.hypot(...gradient));
    laplacians.push(Math.abs(laplacian));
  }
  const edge = (values) => values.sort((a, b) => a - b)[Math.floor(0.99 * values.length)];
  return [edge(slopes) || 1, edge(laplacians) || 1];
}
