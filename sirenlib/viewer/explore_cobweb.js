/* needs: frame plot laws */
/* The cobweb: how the variance of the weighted sums goes from layer to layer, and what
   that does to the gradient on its way back. */

const COBWEB = { most: 2.6, layers: 20, back: 49 };
const COBWEB_BIASES = [
  { name: "none", half: 0 },
  { name: "official, width 256", half: 30 / 16 },
  { name: "half a turn", half: Math.PI / 2 },
];

/* The variances from layer 2 on. */
function variancesFrom(start, { s, c }, count) {
  const found = [start];
  while (found.length < count) found.push(nextVariance(found.at(-1), s, c));
  return found;
}

/* From the axis up to the curve, across to the diagonal, up to the curve, and so on. */
function cobwebPath(variances) {
  const points = [[variances[0], 0]];
  for (let i = 1; i < variances.length; i++) {
    points.push([variances[i - 1], variances[i]], [variances[i], variances[i]]);
  }
  return points;
}

/* Everything that is said about a start. */
function cobwebNumbers({ start, c, half }) {
  const s = uniformBiasFactor(half);
  const variances = variancesFrom(start, { s, c }, COBWEB.layers);
  const settled = fixedPoint(s, c), chi = gradientFactor(settled, s, c);
  return { s, variances, settled, chi, growth: chi ** COBWEB.back };
}

/* 8,600 or 0.38, two digits; what is longer as a power of ten. */
function growthWords(growth) {
  if (growth >= 1e6 || growth < 1e-3) return `10^${Math.round(Math.log10(growth))}`;
  const digits = Number(growth.toPrecision(2));
  return digits >= 100 ? grouped(digits) : String(digits);
}

function cobwebWords({ variances, settled, chi, growth }) {
  const [second, third] = variances, last = variances.at(-1);
  const dies = settled < 1e-6;
  const where = dies ? "It dies out: the only fixed point is 0."
    : `Fixed point ${settled.toFixed(3)}, a standard deviation of ` +
      `${Math.sqrt(settled).toFixed(3)}.`;
  return `Variance in layer 2: ${second.toFixed(3)}, in layer 3: ${third.toFixed(3)}, ` +
    `in layer ${COBWEB.layers + 1}: ${last.toFixed(3)}. ${where} Gradient: ` +
    `χ = ${chi.toFixed(3)} a layer, a factor of ${growthWords(growth)} over ` +
    `${COBWEB.back} layers.`;
}

/* The end of both axes: half of it where that is enough. */
function cobwebEdge({ start, c }) {
  const { most } = COBWEB;
  return Math.max(start, 1.04 * c * c / 6) > most / 2 ? most : most / 2;
}

function cobwebPlot(found, state, width) {
  const edge = cobwebEdge(state), marks = edge > 2 ? [0, 1, 2] : [0, 0.5, 1];
  const plot = new Plot({ x: [0, edge], y: [0, edge], width,
    height: Math.min(width, 330), label: "", ticks: { x: marks, y: marks } });
  const curve = Array.from({ length: 131 }, (_, i) => {
    const q = edge * i / 130;
    return [q, nextVariance(q, found.s, state.c)];
  });
  plot.line([[0, 0], [edge, edge]], "level");
  plot.line(cobwebPath(found.variances), "measured");
  plot.line(curve, "predicted");
  plot.dots([[found.variances[0], 0]], "measured");
  plot.dots([[found.settled, found.settled]], "level");
  return plot;
}

function layersPlot(found, { c }, width) {
  const { most, layers } = COBWEB;
  const plot = new Plot({ x: [1.5, layers + 1.5], y: [0, most], width,
    height: Math.min(0.8 * width, 330), label: "",
    ticks: { x: [2, 5, 10, 15, 20], y: [0, 1, 2] } });
  plot.line([[1.5, found.settled], [layers + 1.5, found.settled]], "level");
  const factors = found.variances.map((q, i) =>
    [i + 2, gradientFactor(q, found.s, c)]);
  plot.line(factors, "third");
  plot.line(found.variances.map((q, i) => [i + 2, q]), "measured");
  return plot;
}

const COBWEB_STYLE = `
.panels { display: flex; flex-wrap: wrap; gap: 0.6rem 1.2rem; }
.panels > figure { margin: 0; }
.panels .plot { max-width: none; }
.panels > figure:first-child .plot { cursor: ew-resize; touch-action: pan-y; }`;
const COBWEB_CAPTIONS = [
  "Across: the variance of the weighted sums in one layer. Up: in the next. Orange: " +
    "the map. Blue: the path of this network. Drag its start along the axis.",
  "Blue: the variance, layer by layer. Green: χ, the factor of the gradient's mean " +
    "square. Dashed: the fixed point.",
];

/* `spec` has start, c and the index of the biases. */
function exploreCobweb(root, spec) {
  const state = { start: spec.start, c: spec.c, half: COBWEB_BIASES[spec.biases].half };
  const panels = COBWEB_CAPTIONS.map((caption) => ({ place: element("div"),
    caption: element("figcaption", {}, caption) }));
  const figures = panels.map(({ place, caption }) =>
    element("figure", {}, place, caption));
  const stage = element("div", { class: "panels" }, ...figures);
  const output = element("output", { "aria-live": "polite" });
  const draw = () => drawCobweb(state, stage, panels, output);
  const redraw = onceAFrame(draw);
  const set = (change) => {
    Object.assign(state, change);
    redraw();
  };
  const [start, ...others] = cobwebControls(state, spec.biases, set);
  gripStart(panels[0], (value) => {
    start.set(value);
    set({ start: value });
  });
  root.append(element("style", {}, COBWEB_STYLE), stage,
    element("div", { class: "row" }, start, others[0]),
    element("div", { class: "row" }, "biases", others[1]), output);
  draw();
  new ResizeObserver(redraw).observe(stage);
}

function drawCobweb(state, stage, panels, output) {
  const whole = stage.clientWidth || 340;
  const width = Math.floor(whole < 560 ? whole : between(whole / 2 - 12, 200, 420));
  const found = cobwebNumbers(state), words = cobwebWords(found);
  const plots = [cobwebPlot, layersPlot].map((make) => make(found, state, width));
  plots[0].say(`The map of the variance and the path of a network. ${words}`);
  plots[1].say(`Variance and gradient factor in layers 2 to ${COBWEB.layers + 1}.`);
  plots.forEach((plot, i) => {
    panels[i].plot = plot;
    panels[i].place.replaceChildren(plot.svg);
    panels[i].caption.style.maxWidth = `${width}px`;
  });
  if (output.textContent !== words) output.textContent = words;
}

/* A mouse or a pen drags the start; a finger scrolls, and has the slider. */
function gripStart(panel, change) {
  const move = (event) => {
    if (!(event.buttons & 1) || event.pointerType === "touch") return;
    const { left, right } = panel.plot.box;
    const x = event.clientX - panel.place.getBoundingClientRect().left;
    const value = (x - left) / (right - left) * panel.plot.x[1];
    change(between(Math.round(100 * value) / 100, 0.01, COBWEB.most));
  };
  panel.place.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "touch") panel.place.setPointerCapture(event.pointerId);
    move(event);
  });
  panel.place.addEventListener("pointermove", move);
}

/* The start, the scale in halves of c², the biases. */
function cobwebControls(state, biases, set) {
  const { most } = COBWEB, scale = (halves) => Math.sqrt(halves / 2);
  const names = COBWEB_BIASES.map(({ name }) => name);
  return [
    slider("variance in layer 2",
      { min: 0.01, max: most, step: 0.01, value: state.start },
      (start) => set({ start }), (start) => start.toFixed(2)),
    slider("weight scale c",
      { min: 2, max: 30, step: 1, value: Math.round(2 * state.c ** 2) },
      (halves) => set({ c: scale(halves) }),
      (halves) => `√${halves / 2} = ${scale(halves).toFixed(3)}`),
    choice("biases", names, (i) => set({ half: COBWEB_BIASES[i].half }), biases),
  ];
}
