/* needs: frame plot random */
/* Samples of a line, and what a layer of sines draws between them when only the weights
   behind it learn. These are solved for, with a small penalty on their squares. */

const LINE = { units: 256, penalty: 1e-4, fine: 8, slowest: 1, fastest: 1000 };

/* The line itself: a sum of waves, each [omega, size, start]. */
function lineAt(waves, x) {
  return waves.reduce((sum, [omega, size, start]) =>
    sum + size * Math.cos(omega * x + start), 0);
}

/* From -1 to 1, end to end. */
function evenly(count) {
  return Float64Array.from({ length: count }, (_, i) => (2 * i) / (count - 1) - 1);
}

/* The solution of A x = b for a symmetric positive A, (n, n), by Cholesky's method. */
function solvePositive(A, b) {
  const n = b.length, L = new Float64Array(n * n), x = Float64Array.from(b);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = A[i * n + j];
      for (let k = 0; k < j; k++) sum -= L[i * n + k] * L[j * n + k];
      L[i * n + j] = i === j ? Math.sqrt(sum) : sum / L[j * n + j];
    }
  }
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) x[i] -= L[i * n + k] * x[k];
    x[i] /= L[i * n + i];
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) x[i] -= L[k * n + i] * x[k];
    x[i] /= L[i * n + i];
  }
  return x;
}

/* What a kernel with the value 1 at equal places draws at `places`. */
function kernelLine(kernel, x, y, places) {
  const n = x.length, table = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      table[i * n + j] = kernel(x[i], x[j]) + (i === j ? LINE.penalty : 0);
    }
  }
  const shares = solvePositive(table, y);
  return places.map((at) => shares.reduce((sum, share, i) =>
    sum + share * kernel(at, x[i]), 0));
}

/* Of infinitely many units with random phases: the sinc of chapter 11. */
function sincKernel(omega) {
  return (x, other) => {
    const t = omega * (x - other);
    return t === 0 ? 1 : Math.sin(t) / t;
  };
}

/* Of the units of one layer, drawn with that seed: omega w is uniform up to omega and
   the phase over a whole turn. Its values are kept, place by place. */
function layerKernel(omega, seed) {
  const next = seededNumbers(seed), known = new Map();
  const units = Array.from({ length: LINE.units }, () =>
    [omega * (2 * next() - 1), Math.PI * (2 * next() - 1)]);
  const values = (x) => {
    if (!known.has(x)) {
      known.set(x, Float64Array.from(units, ([w, b]) => Math.sin(w * x + b)));
    }
    return known.get(x);
  };
  return (x, other) => {
    const a = values(x), b = values(other);
    let sum = 0;
    for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
    return 2 * sum / a.length;
  };
}

/* The mean squared error over the line's mean square, in decibels. */
function lineError(drawn, truth, counts) {
  let error = 0, square = 0;
  truth.forEach((value, i) => {
    if (!counts(i)) return;
    error += (drawn[i] - value) ** 2;
    square += value ** 2;
  });
  return 10 * Math.log10(error / square);
}

/* Both lines and their errors, at the samples and between them. */
function omegaLines({ waves, count, omega, seed }) {
  const { fine } = LINE, x = evenly(count), places = evenly(fine * (count - 1) + 1);
  const y = x.map((at) => lineAt(waves, at));
  const truth = places.map((at) => lineAt(waves, at));
  const law = kernelLine(sincKernel(omega), x, y, places);
  const drawn = kernelLine(layerKernel(omega, seed), x, y, places);
  return { x, y, places, truth, law, drawn,
    at: lineError(drawn, truth, (i) => i % fine === 0),
    between: lineError(drawn, truth, (i) => i % fine !== 0) };
}

/* Three digits, and no powers of ten. */
function threeFigures(number) {
  return number >= 999.5 ? number.toFixed(0) : number.toPrecision(3);
}

function omegaWords({ omega, count }, { at, between: apart }) {
  const nyquist = Math.PI * (count - 1) / 2;
  const digits = (decibels) => `${decibels.toFixed(0).replace("-", "−")} dB`;
  let word = "The line is found.";
  if (at > -20) word = "A blur: it misses the samples.";
  else if (apart > -20) word = "Noise: it meets the samples and nothing else.";
  return `ω₀ = ${threeFigures(omega)}, the Nyquist frequency is ` +
    `${nyquist.toFixed(0)}. Error at the samples ${digits(at)}, between them ` +
    `${digits(apart)}. ${word}`;
}

const OMEGA_NOTE = "Gray: the line. Dots: its samples, all that is shown to the layer. " +
  `Blue: what a layer of ${LINE.units} sines draws when the weights behind it are ` +
  "solved for. Orange, dashed: the same of infinitely many sines, by the kernel. " +
  "0 dB is an error as large as the line, and −20 dB a tenth of that.";
const OMEGA_STYLE = `
.plot { max-width: 760px; }
.truth { fill: none; stroke: currentColor; stroke-opacity: 0.25; stroke-width: 5; }
.line.predicted { stroke-dasharray: 5 4; stroke-width: 1.5; }
.slider input { width: min(20rem, 60vw); }`;

function omegaPlot({ x, y, places, truth, law, drawn }, width) {
  const plot = new Plot({ x: [-1.02, 1.02], y: [-1.6, 1.6], width,
    height: width < 500 ? 210 : 270, label: "",
    ticks: { x: [-1, -0.5, 0, 0.5, 1], y: [-1, 0, 1] } });
  const pairs = (values) => Array.from(places, (at, i) => [at, values[i]]);
  plot.line(pairs(truth), "true");
  plot.layer.lastChild.setAttribute("class", "truth");
  plot.line(pairs(law), "predicted");
  plot.line(pairs(drawn), "measured");
  plot.dots(Array.from(x, (at, i) => [at, y[i]]), "level");
  for (const dot of plot.layer.querySelectorAll("circle")) dot.setAttribute("r", 3);
  return plot;
}

/* `spec` has the waves, the count of samples, omega and a seed. */
function exploreOmega0(root, spec) {
  const state = { ...spec };
  const stage = element("div"), output = element("output", { "aria-live": "polite" });
  const draw = () => {
    const found = omegaLines(state), words = omegaWords(state, found);
    const plot = omegaPlot(found, between(stage.clientWidth || 340, 240, 760));
    plot.say(`A line, its samples and what a layer of sines makes of them. ${words}`);
    stage.replaceChildren(plot.svg);
    output.textContent = words;
  };
  const redraw = onceAFrame(draw);
  const { slowest, fastest } = LINE, steps = 120;
  const value = Math.round(steps * Math.log(spec.omega / slowest)
    / Math.log(fastest / slowest));
  const omegaAt = (step) =>
    step === value ? spec.omega : slowest * (fastest / slowest) ** (step / steps);
  const omega = slider("ω₀", { min: 0, max: steps, step: 1, value }, (step) => {
    state.omega = omegaAt(step);
    redraw();
  }, (step) => threeFigures(omegaAt(step)));
  const renew = button("new weights", () => {
    state.seed += 1;
    redraw();
  });
  root.append(element("style", {}, OMEGA_STYLE), stage,
    element("div", { class: "row" }, omega, renew), output,
    element("p", { class: "note" }, OMEGA_NOTE));
  draw();
  new ResizeObserver(redraw).observe(stage);
}
