/* needs: frame plot algebra random laws */
/* The activation explorer: what stands before and after the sines of networks that have
   just been drawn, and the laws of chapters 6 and 7 on top. Weights and biases have
   omega_0 multiplied in; the inputs are one-dimensional. */

const EXPLORED = { inputs: 32, neurons: 1024, bins: 40, points: 240 };
const BIASES = ["official", "none", "random phase"];

/* The numbers */

/* For each sine layer its fan-in and the half-widths of its weights and biases. */
function startBounds({ width, depth, omega, c, biases }) {
  return Array.from({ length: depth }, (_, layer) => {
    const inputs = layer ? width : 1;
    const weight = layer ? c / Math.sqrt(width) : omega;
    const half = [omega / Math.sqrt(inputs), 0, Math.PI];
    return { inputs, weight, bias: half[BIASES.indexOf(biases)] };
  });
}

/* The same numbers are drawn whatever the half-widths, so that a reader who changes one
   of them sees the same network, scaled. */
function drawLayers(bounds, width, next) {
  const uniform = (count, half) =>
    new Float64Array(count).map(() => half * (2 * next() - 1));
  return bounds.map(({ inputs, weight, bias }) =>
    ({ inputs, W: uniform(width * inputs, weight), b: uniform(width, bias) }));
}

/* The phases of every layer, each (inputs, width). */
function phasesOf(layers, x) {
  let state = x;
  return layers.map(({ inputs, W, b }, layer) => {
    if (layer) state = state.map(Math.sin);
    const phases = new Float64Array(x.length * b.length);
    timesTransposed(state, W, phases, x.length, b.length, inputs);
    for (let i = 0; i < phases.length; i++) phases[i] += b[i % b.length];
    state = phases;
    return phases;
  });
}

/* The squared norm of a gradient by each layer's phases; `gradient` is that by the last
   layer's. On the way back it passes a layer's weights and the cosines before them. */
function gradientSquares(layers, phases, gradient) {
  const square = (values) => values.reduce((sum, value) => sum + value * value, 0);
  const squares = [square(gradient)];
  for (let layer = layers.length - 1; layer > 0; layer--) {
    const width = layers[layer].b.length, points = gradient.length / width;
    const back = new Float64Array(gradient.length), turned = back.slice();
    transposeInto(gradient, turned, points, width);
    transposedTimes(turned, layers[layer].W, back, points, width, width);
    gradient = back.map((value, i) => value * Math.cos(phases[layer - 1][i]));
    squares.unshift(square(gradient));
  }
  return squares;
}

/* For each layer: all phases and sines of all networks, and the gradient's square. */
function drawActivations(settings, seed) {
  const { inputs } = EXPLORED, { width } = settings;
  const neurons = width * networkCount(settings);
  const next = seededNumbers(seed), x = inputGrid(inputs), bounds = startBounds(settings);
  const found = bounds.map(() =>
    ({ phases: new Float64Array(neurons * inputs), gradient: 0 }));
  for (let start = 0; start < neurons; start += width) {
    const layers = drawLayers(bounds, width, next);
    const phases = phasesOf(layers, x);
    const signs = new Float64Array(inputs * width).map(() => (next() < 0.5 ? -1 : 1));
    gradientSquares(layers, phases, signs).forEach((square, layer) => {
      found[layer].phases.set(phases[layer], start * inputs);
      found[layer].gradient += square;
    });
  }
  return found.map((layer) => ({ ...layer, sines: layer.phases.map(Math.sin) }));
}

/* One output of the first of these networks over its input, as [x, value] pairs: the
   sines of the last layer, times weights U(±√6/√n) whatever the scale c. So its values
   have variance 1 where the sines are those of random angles. */
function outputOverInputs(settings, seed) {
  const { width } = settings, x = inputGrid(EXPLORED.points);
  const layers = drawLayers(startBounds(settings), width, seededNumbers(seed));
  const next = seededNumbers(seed + 2 ** 16), half = Math.sqrt(6 / width);
  const weights = Float64Array.from({ length: width }, () => half * (2 * next() - 1));
  const sines = phasesOf(layers, x).pop().map(Math.sin);
  const values = new Float64Array(x.length);
  timesTransposed(sines, weights, values, x.length, 1, width);
  return Array.from(x, (at, i) => [at, values[i]]);
}

/* One, or as many as have 1024 neurons in each layer together. */
function networkCount({ width, many }) {
  return many ? EXPLORED.neurons / width : 1;
}

/* An even number of inputs, so that none is 0. */
function inputGrid(count) {
  return Float64Array.from({ length: count }, (_, i) => (2 * i) / (count - 1) - 1);
}

function meanOfAll(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function standardDeviation(values) {
  const mean = meanOfAll(values);
  return Math.sqrt(meanOfAll(values.map((value) => (value - mean) ** 2)));
}

/* How many values fall into each of the bins between -edge and edge. */
function binCounts(values, edge, bins) {
  const counts = new Array(bins).fill(0);
  for (const value of values) {
    if (Math.abs(value) > edge) continue;
    const bin = Math.floor(((value + edge) / (2 * edge)) * bins);
    counts[Math.min(bin, bins - 1)] += 1;
  }
  return counts;
}

/* The laws */

/* The law of every layer in a wide network: standard deviations before and after the
   sine, and the gradient's square, 1 in the last layer. `sums` has, for each input, the
   variance of the weighted sum. The first layer is exact at any width. */
function layerLaws(bounds, x) {
  let squares = null;
  const laws = bounds.map(({ inputs, weight, bias }) => {
    const gain = inputs * weight ** 2 / 3, s = uniformBiasFactor(bias);
    const first = squares === null;
    const factors = squares?.map((square) => gain * (1 - square));
    const sums = first ? x.map((at) => gain * at ** 2) : squares.map((m) => gain * m);
    squares = first
      ? x.map((at) => (1 - s * sineOverItself(2 * weight * at)) / 2)
      : sums.map((q) => sineMeanSquare(q, s));
    return { first, weight, bias, x, sums, factors, after: Math.sqrt(meanOfAll(squares)),
      before: Math.sqrt(meanOfAll(sums) + bias ** 2 / 3) };
  });
  let gradient = x.map(() => 1);
  for (let layer = laws.length - 1; layer >= 0; layer--) {
    const { factors } = laws[layer];
    laws[layer].gradient = meanOfAll(gradient);
    if (factors) gradient = gradient.map((square, i) => square * factors[i]);
  }
  return laws;
}

/* What deep layers tend to, as one line of the table. */
function deepLaw(settings) {
  const { bias } = startBounds(settings)[1], { c } = settings;
  const s = uniformBiasFactor(bias), q = fixedPoint(s, c);
  return { before: Math.sqrt(q + bias ** 2 / 3), after: Math.sqrt(sineMeanSquare(q, s)),
    chi: gradientFactor(q, s, c) };
}

/* Its series has positive terms only, so nothing is lost. */
function errorFunction(x) {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x, sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/* Distribution function of a sum of N(0, q) and U(±half). */
function normalPlusUniform(z, q, half) {
  const below = (t) => (1 + errorFunction(t / Math.sqrt(2 * q))) / 2;
  if (half === 0) return below(z);
  const density = (t) => Math.sqrt(q / 2 / Math.PI) * Math.exp(-t * t / 2 / q);
  const area = (t) => t * below(t) + density(t);
  return (area(z + half) - area(z - half)) / (2 * half);
}

/* Distribution function of a sum of U(±a) and U(±half). */
function uniformPlusUniform(z, a, half) {
  if (half === 0) return between((z + a) / (2 * a));
  const area = (t) => Math.max(0, t) ** 2 / (8 * a * half);
  const step = (t) => area(t + half) - area(t - half);
  return step(z + a) - step(z - a);
}

/* Distribution function of a layer's phases over all inputs. Those left of 0 have the
   laws of those right of it. */
function phaseLaw({ first, weight, bias, x, sums }) {
  const half = x.length / 2;
  return (z) => {
    let sum = 0;
    for (let i = half; i < x.length; i++) {
      sum += first ? uniformPlusUniform(z, weight * x[i], bias)
        : normalPlusUniform(z, sums[i], bias);
    }
    return sum / half;
  };
}

/* That of the sines. In each turn the sine is below y on one arc, which ends at arcsin y
   (chapter 3). No phase is larger than `reach`. */
function sineLaw(below, reach) {
  const turns = Math.ceil(reach / (2 * Math.PI)) + 1;
  return (y) => {
    const end = Math.asin(y);
    let sum = 0;
    for (let turn = -turns; turn <= turns; turn++) {
      const start = 2 * Math.PI * turn;
      sum += below(start + end) - below(start - Math.PI - end);
    }
    return sum;
  };
}

/* No phase, or hardly one, is larger. */
function reachOf({ first, weight, bias, sums }) {
  return bias + (first ? weight : 7 * Math.sqrt(Math.max(...sums)));
}

/* The mean density in each of the bins between -edge and edge. */
function binDensities(below, edge, bins) {
  const step = (2 * edge) / bins;
  const values = Array.from({ length: bins + 1 }, (_, i) => below(i * step - edge));
  return values.slice(1).map((value, i) => (value - values[i]) / step);
}

/* What is shown */

const ACTIVATIONS_STYLE = `
:host { max-width: 46rem; }
.layers { display: grid; grid-template-columns: 38px 1fr 1fr; gap: 3px 6px;
  align-items: center; margin: 0.8rem 0; font-size: 13px; text-align: center; }
.plot { max-width: none; }
.curve { min-height: 130px; }
.slider { flex-wrap: wrap; }
td { white-space: nowrap; }
caption { caption-side: bottom; text-align: left; padding-top: 0.4rem;
  font: 13px/1.45 system-ui, sans-serif; }
@media (max-width: 420px) {
  table { font-size: 12px; }
  td { word-spacing: -4px; }
}
@media (max-width: 350px) {
  th, td { padding-right: 6px; white-space: normal; }
}`;
const OUTPUT_CAPTION = "What one output of one of these networks looks like over x, " +
  "always in the same scale:";
const ACTIVATIONS_CAPTION = "Standard deviations before and after the sine, and χ, " +
  "each by the law / measured. χ is the gradient's mean square in a layer, divided by " +
  "that in the next layer. The limit is the law of deep layers.";

/* Measured and predicted, layer by layer, and the heights of the histograms. */
function activationReport(settings, seed) {
  const { bins, inputs } = EXPLORED;
  const laws = layerLaws(startBounds(settings), inputGrid(inputs));
  const found = drawActivations(settings, seed);
  // One axis for all hidden layers, so that phases which grow or die are seen to.
  const hidden = 0.7 * Math.max(...laws.slice(1).map(reachOf));
  const growth = (each, layer) => each[layer].gradient / each[layer + 1].gradient;
  return laws.map((law, layer) => {
    const { phases, sines } = found[layer], below = phaseLaw(law);
    const edge = tidyEdge(law.first ? reachOf(law) : hidden);
    const last = layer === laws.length - 1;
    return {
      before: [law.before, standardDeviation(phases)],
      after: [law.after, standardDeviation(sines)],
      chi: last ? null : [growth(laws, layer), growth(found, layer)],
      phases: histogramWithLaw(phases, below, edge, bins),
      sines: histogramWithLaw(sines, sineLaw(below, reachOf(law)), 1, bins),
    };
  });
}

function histogramWithLaw(values, below, edge, bins) {
  const density = bins / (2 * edge) / values.length;
  return { edge, measured: binCounts(values, edge, bins).map((count) => count * density),
    predicted: binDensities(below, edge, bins) };
}

/* The next larger number of which the half is short. */
function tidyEdge(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  const steps = [1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10];
  return steps.find((step) => step * power >= value) * power;
}

/* One histogram, as wide as it will be on the screen, so that its text keeps its size. */
function activationPlot({ edge, measured, predicted }, width, label) {
  const half = Number((edge / 2).toPrecision(3)), step = (2 * edge) / measured.length;
  const plot = new Plot({ x: [-edge, edge], y: [0, 1.15 * Math.max(...predicted)],
    width, height: Math.round(between(width / 3.4, 76, 96)), label,
    ticks: { x: [[-half, `−${half}`], 0, half] } });
  plot.bars(measured, "measured");
  plot.line(predicted.map((height, i) => [(i + 0.5) * step - edge, height]), "predicted");
  return plot.svg;
}

/* The output over x. Its scale is always the same: one sees it die and go wild. */
function drawOutput(points, place) {
  const values = points.map(([, value]) => value);
  const ends = [Math.min(...values), Math.max(...values)];
  const [low, high] = ends.map((value) => value.toFixed(3).replace("-", "−"));
  const plot = new Plot({ x: [-1, 1], y: [-3, 3], width: place.clientWidth, height: 130,
    label: `One output of one network for x from −1 to 1: from ${low} to ${high}.`,
    ticks: { x: [[-1, "−1"], [0, "x = 0"], 1], y: [[-2, "−2"], 0, 2] } });
  plot.line([[-1, 0], [1, 0]], "level");
  plot.line(points, "measured");
  place.replaceChildren(plot.svg);
}

function drawLayersOf(report, grid) {
  const width = Math.max(90, Math.floor((grid.clientWidth - 50) / 2));
  const cells = ["layer", "before the sine", "after the sine"].map((text) =>
    element("span", {}, text));
  report.forEach((layer, i) => {
    const words = (where, numbers) => `Layer ${i + 1}, ${where} the sine: a histogram ` +
      `and its law. Standard deviation, law / measured: ${pairOfDigits(numbers)}.`;
    cells.push(element("span", {}, String(i + 1)),
      activationPlot(layer.phases, width, words("before", layer.before)),
      activationPlot(layer.sines, width, words("after", layer.after)));
  });
  grid.style.minHeight = "";  // the room that was kept for the first drawing
  grid.replaceChildren(...cells);
}

/* Three digits after the point; what would be 0.000 in powers of ten. */
function threeDigits(value) {
  if (value >= 10) return value.toFixed(1);
  if (value < 1e-10) return "0";
  return value < 0.001 ? value.toExponential(0) : value.toFixed(3);
}

function pairOfDigits([law, measured]) {
  return `${threeDigits(law)} / ${threeDigits(measured)}`;
}

function activationTable(report, limit) {
  const row = (name, cells) => element("tr", {}, element("th", { scope: "row" }, name),
    ...cells.map((text) => element("td", {}, text)));
  const heads = ["layer", "before", "after", "χ"].map((text) =>
    element("th", { scope: "col" }, text));
  const rows = report.map(({ before, after, chi }, i) => row(String(i + 1),
    [pairOfDigits(before), pairOfDigits(after), chi ? pairOfDigits(chi) : "–"]));
  return [
    element("caption", { class: "note" }, ACTIVATIONS_CAPTION),
    element("thead", {}, element("tr", {}, ...heads)),
    element("tbody", {}, ...rows,
      row("limit", [limit.before, limit.after, limit.chi].map(threeDigits))),
  ];
}

/* `spec` has width, depth, omega and the index of the biases. */
function exploreActivations(root, spec) {
  const settings = { width: spec.width, depth: spec.depth, omega: spec.omega,
    c: Math.sqrt(6), biases: BIASES[spec.biases], many: true };
  const parts = { curve: element("div", { class: "curve" }),
    grid: element("div", { class: "layers" }), table: element("table"),
    output: element("output", { "aria-live": "polite", "aria-busy": "true" }),
    note: element("p", { class: "note" }) };
  let seed = 1, report = null, points = null;
  const redraw = () => {
    if (!report) return;
    drawOutput(points, parts.curve);
    drawLayersOf(report, parts.grid);
  };
  const update = onceAFrame(() => {
    report = activationReport(settings, seed);
    points = outputOverInputs(settings, seed);
    redraw();
    writeActivations(parts, report, settings, seed);
  });
  const set = (change) => {
    Object.assign(settings, change);
    parts.output.setAttribute("aria-busy", "true");
    update();
  };
  const renew = () => {
    seed += 1;
    set({});
  };
  parts.grid.style.minHeight = `${80 * settings.depth + 25}px`;
  root.append(element("style", {}, ACTIVATIONS_STYLE),
    ...activationControls(settings, set, renew),
    element("p", { class: "note" }, OUTPUT_CAPTION), parts.curve, parts.output,
    parts.grid, parts.table, parts.note);
  whenVisible(parts.grid, update);
  new ResizeObserver(onceAFrame(redraw)).observe(parts.curve);
}

function writeActivations({ table, output, note }, report, settings, seed) {
  const { before, after } = report[settings.depth - 1];
  table.replaceChildren(...activationTable(report, deepLaw(settings)));
  output.textContent = `Standard deviation in layer ${settings.depth}, by the law / ` +
    `measured: ${pairOfDigits(before)} before the sine, ${pairOfDigits(after)} after it.`;
  output.setAttribute("aria-busy", "false");
  const count = networkCount(settings);
  note.textContent = `Blue bars: measured in ${count} network${count > 1 ? "s" : ""} ` +
    `(draw ${seed}) at ${EXPLORED.inputs} inputs between -1 and 1. Orange lines: the ` +
    "laws. Hidden weights are U(±c/√n), officially with c = √6.";
}

/* Each slider moves by whole steps: powers of two for the width, halves of c². */
function activationControls({ width, depth, omega, biases }, set, renew) {
  const across = (name, [min, max, value], change, show) =>
    slider(name, { min, max, step: 1, value }, change, show);
  const scale = (halves) => Math.sqrt(halves / 2);
  const pick = (i) => set({ biases: BIASES[i] });
  return [
    element("div", { class: "row" },
      across("width", [3, 9, Math.log2(width)], (power) => set({ width: 2 ** power }),
        (power) => String(2 ** power)),
      across("layers", [2, 12, depth], (count) => set({ depth: count })),
      across("ω₀", [1, 60, omega], (value) => set({ omega: value })),
      across("weight scale c", [2, 50, 12], (halves) => set({ c: scale(halves) }),
        (halves) => `√${halves / 2} = ${scale(halves).toFixed(3)}`)),
    element("div", { class: "row" }, "biases",
      choice("biases", BIASES, pick, BIASES.indexOf(biases))),
    element("div", { class: "row" }, "networks",
      choice("networks", ["many", "one"], (i) => set({ many: i === 0 })),
      button("new weights", renew)),
  ];
}
