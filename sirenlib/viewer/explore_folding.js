/* needs: frame random */
/* The folding explorer: angles theta = aX + b with X uniform on [-1, 1], and their sines.
   A level y enters the computations as `crossing`, which is arcsin y. */

const TURN = 2 * Math.PI;
const ALL_ANGLES = 100000;
const DRAWING_SECONDS = 10;  // from the first angle to the last
const FLIGHT_SECONDS = 1;  // of an angle, up to the wave and across to the histogram
const FOLD_BINS = 40;
const FULL_BARS = 300;  // angles until the bars are densities
const DENSEST = 2.5;  // the end of the axis of densities
const MARKED_ANGLES = 40;  // the first ones stay marked on the wave
const DRAWN_CROSSINGS = 60;  // more of them would be a blot

/* The pieces of [b - a, b + a] where the sine is at most y. In every turn this is one
   arc, from -pi - arcsin y to arcsin y. */
function arcsBelow(crossing, a, b) {
  const arcs = [];
  const last = Math.floor((b + a + Math.PI + crossing) / TURN);
  for (let turn = Math.ceil((b - a - crossing) / TURN); turn <= last; turn++) {
    const start = Math.max(b - a, turn * TURN - Math.PI - crossing);
    const end = Math.min(b + a, turn * TURN + crossing);
    if (end > start) arcs.push([start, end]);
  }
  return arcs;
}

/* F(y), the probability that sin(aX + b) is at most y: those pieces' share. */
function shareBelow(crossing, a, b) {
  const lengths = arcsBelow(crossing, a, b).map(([start, end]) => end - start);
  return lengths.reduce((sum, length) => sum + length, 0) / (2 * a);
}

function arcsineShare(crossing) {
  return 0.5 + crossing / Math.PI;
}

/* The angles of [b - a, b + a] whose sine is y: where it rises, arcsin y plus whole
   turns, and where it falls, pi - arcsin y plus whole turns. At y = 1 and -1 the two
   are the same. */
function levelCrossings(crossing, a, b) {
  const plusTurns = (angle) => {
    const found = [];
    const last = Math.floor((b + a - angle) / TURN);
    for (let turn = Math.ceil((b - a - angle) / TURN); turn <= last; turn++) {
      found.push(angle + turn * TURN);
    }
    return found;
  };
  const touches = Math.abs(crossing) >= Math.PI / 2;
  return { rising: plusTurns(crossing),
    falling: touches ? [] : plusTurns(Math.PI - crossing) };
}

/* arcsin(sin(angle)), without the digits that the sine would lose. */
function foldedAngle(angle) {
  const piece = Math.round(angle / Math.PI);
  return (piece % 2 ? -1 : 1) * (angle - piece * Math.PI);
}

/* The Kolmogorov-Smirnov distance of sin(aX + b) to the arcsine law, exact. As a function
   of arcsin y the gap between the two is made of straight pieces. It is 0 at y = -1 and
   at y = 1, and it bends only where an end of the range is a crossing: so it is largest
   at one of these two levels. */
function distanceToArcsine(a, b) {
  const gaps = [b - a, b + a].map(foldedAngle).map((crossing) =>
    Math.abs(shareBelow(crossing, a, b) - arcsineShare(crossing)));
  return Math.max(...gaps);
}

/* The same distance of a sample of sines. */
function sampleDistance(sines) {
  const sorted = Float64Array.from(sines).sort();
  let largest = 0;
  for (let i = 0; i < sorted.length; i++) {
    const share = arcsineShare(Math.asin(sorted[i]));
    const above = (i + 1) / sorted.length - share, below = share - i / sorted.length;
    largest = Math.max(largest, above, below);
  }
  return largest;
}

/* Numbers uniform on [-1, 1), the same for the same seed. */
function uniformNumbers(seed, count) {
  const next = seededNumbers(seed);
  return Float64Array.from({ length: count }, () => 2 * next() - 1);
}

function foldingSines(numbers, a, b) {
  return numbers.map((x) => Math.sin(a * x + b));
}

/* Bars of sines between -1 and 1, as densities once there are enough of them. */
function foldingBars(sines) {
  const bars = new Float64Array(FOLD_BINS);
  const one = FOLD_BINS / 2 / Math.max(sines.length, FULL_BARS);
  for (const sine of sines) {
    bars[Math.min(FOLD_BINS - 1, Math.floor((sine + 1) / 2 * FOLD_BINS))] += one;
  }
  return bars;
}

/* When an angle leaves, counted from 1, and how many have arrived after so many seconds:
   ten times as many every two seconds. */
function departure(number) {
  return DRAWING_SECONDS * Math.log(number) / Math.log(ALL_ANGLES);
}

function arrivedAfter(seconds) {
  const flown = (seconds - FLIGHT_SECONDS) / DRAWING_SECONDS;
  if (flown < 0) return 0;
  return Math.min(ALL_ANGLES, Math.floor(ALL_ANGLES ** flown + 1e-6));
}

/* Without motion: the time at which ten times as many have arrived. */
function nextPower(seconds) {
  const powers = Math.floor((seconds - FLIGHT_SECONDS) / 2 + 1e-9);
  return FLIGHT_SECONDS + 2 * (Math.max(0, powers) + 1);
}

/* The angles on their way, each with the part of its flight that is behind it. Of many
   only some are shown, and these all the way. */
function anglesInFlight(seconds) {
  const flying = [];
  const last = arrivedAfter(seconds + FLIGHT_SECONDS);
  for (let number = arrivedAfter(seconds) + 1; number <= last;) {
    const apart = 2 ** Math.max(0, Math.floor(Math.log2(number / 16)));
    if (number % apart === 0) {
      flying.push([number, (seconds - departure(number)) / FLIGHT_SECONDS]);
    }
    number += apart - (number % apart);
  }
  return flying;
}

/* Numbers in equal steps of `position`, and the given ones among them. */
function sliderStops(position, count, among) {
  const steps = Array.from({ length: count }, (_, i) => position(i));
  const far = (step) => among.every((each) => Math.abs(each - step) > 1e-9);
  return [...steps.filter(far), ...among].sort((p, q) => p - q);
}

/* "3π/2" for a whole multiple of π/2, otherwise two digits. */
function angleName(angle) {
  const multiple = Math.round(angle / (Math.PI / 2));
  if (Math.abs(angle - multiple * Math.PI / 2) > 1e-9) return String(+angle.toFixed(2));
  if (multiple === 0) return "0";
  const [top, bottom] = multiple % 2 ? [multiple, "/2"] : [multiple / 2, ""];
  return `${top === 1 ? "" : top === -1 ? "-" : top}π${bottom}`;
}

/* Beside the wave stands the histogram, turned, so that both have one axis of heights
   and the level runs through both. Where it is simple there is the wave alone. */
class FoldingPlot {
  constructor(simple) {
    this.simple = simple;
    this.svg = vector("svg", { role: "img", class: "plot" });
    this.svg.style.maxWidth = "none";
    this.resize(340);
  }

  /* One unit of the drawing is one pixel: the text keeps its size. */
  resize(width) {
    const left = 26, right = width - 18, top = 22, bottom = width < 500 ? 190 : 230;
    const middle = this.simple ? right : Math.round(left + 0.62 * (right - left));
    this.box = { left, middle, start: middle + 12, right, top, bottom };
    this.svg.setAttribute("viewBox", `0 0 ${width} ${bottom + 48}`);
    this.svg.style.width = `${width}px`;
  }

  /* Call back with the level at which a mouse or a pen drags; a finger scrolls. */
  grip(change) {
    const move = (event) => {
      if (!(event.buttons & 1) || event.pointerType === "touch") return;
      const { top, bottom } = this.box;
      const y = event.clientY - this.svg.getBoundingClientRect().top;
      const height = (bottom - y) / (bottom - top) * 2.16 - 1.08;
      change(between(Math.round(100 * height) / 100, -1, 1));
    };
    this.svg.addEventListener("pointerdown", (event) => {
      if (event.pointerType !== "touch") this.svg.setPointerCapture(event.pointerId);
      move(event);
    });
    this.svg.addEventListener("pointermove", move);
  }

  across(angle) {
    const { left, middle } = this.box;
    const [first, last] = this.seen;
    return left + (middle - left) * (angle - first) / (last - first);
  }

  up(height) {
    const { top, bottom } = this.box;
    return bottom - (bottom - top) * (height + 1.08) / 2.16;
  }

  along(density) {
    const { start, right } = this.box;
    return start + (right - start) * Math.min(1, density / DENSEST);
  }

  path(d, kind, attributes = {}) {
    const rounded = d.replace(/\d+\.\d+/g, (number) => (+number).toFixed(1));
    this.svg.append(vector("path", { d: rounded, class: kind, ...attributes }));
  }

  text(words, x, y, anchor = "middle") {
    this.svg.append(vector("text", { x, y, "text-anchor": anchor }, words));
  }

  dot(x, y, kind, r = 4, style = "") {
    this.svg.append(vector("circle", { cx: x.toFixed(1), cy: y.toFixed(1), r, style,
      class: `dot ${kind}` }));
  }

  /* `scene` has a, b, level, numbers, sines (of the angles that arrived) and flying. */
  draw(scene) {
    const margin = Math.PI / 2 + 0.06 * scene.a;
    this.seen = [scene.b - scene.a - margin, scene.b + scene.a + margin];
    this.svg.replaceChildren();
    this.axes(scene);
    if (!this.simple) this.histogram(scene);
    this.wave(scene);
    if (!this.simple) this.arrivals(scene);
    this.level(scene);
    for (const [number, part] of scene.flying) this.flight(scene, number, part);
  }

  axes({ sines }) {
    const { left, middle, start, right, top, bottom } = this.box;
    const beside = this.simple ? "" : `M${start},${top}V${bottom}H${right}`;
    this.path(`M${left},${top}V${bottom}${beside}`, "axis");
    for (const height of [-1, 0, 1]) {
      this.text(height, left - 5, this.up(height) + 4, "end");
    }
    const [first, last] = this.seen;
    const perQuarter = (middle - left) / (last - first) * Math.PI / 2;
    const step = [1, 2, 4, 8, 16, 32, 64].find((each) => each * perQuarter > 38) || 128;
    const quarter = step * Math.PI / 2;
    for (let k = Math.ceil(first / quarter); k * quarter <= last; k++) {
      const x = this.across(k * quarter);
      this.path(`M${x},${bottom + 12}v3`, "axis");
      if (x < left + 6 || x > middle - 8) continue;
      this.text(angleName(k * quarter), x, bottom + 26);
    }
    this.text("angle θ", (left + middle) / 2, bottom + 43);
    this.text("sin θ", left, 13, "start");
    if (this.simple) return;
    for (const density of [0, 1, 2]) this.text(density, this.along(density), bottom + 26);
    this.text("density", (start + right) / 2, bottom + 43);
    const counted = sines.length === 1 ? "1 sine" : `${grouped(sines.length)} sines`;
    this.text(counted, (start + right) / 2, 13);
  }

  /* The part of the bars below the level is darker. */
  histogram({ level, sines }) {
    const below = [], above = [];
    foldingBars(sines).forEach((bar, i) => {
      const low = 2 * i / FOLD_BINS - 1, high = low + 2 / FOLD_BINS;
      const cut = between(level, low, high);
      const piece = (from, to) => `M${this.along(0)},${this.up(from)}` +
        `H${this.along(bar)}V${this.up(to)}H${this.along(0)}z`;
      if (cut > low) below.push(piece(low, cut));
      if (cut < high) above.push(piece(cut, high));
    });
    this.path(below.join(""), "bars measured", { style: "fill-opacity: 0.75" });
    this.path(above.join(""), "bars measured", { style: "fill-opacity: 0.35" });
    const widest = Math.acos(1 / Math.PI / DENSEST);
    const law = Array.from({ length: 121 }, (_, i) => widest * (i - 60) / 60);
    this.curve(law.map((angle) =>
      [this.along(1 / Math.PI / Math.cos(angle)), this.up(Math.sin(angle))]),
    "line predicted");
  }

  curve(points, kind, attributes) {
    const d = points.map(([x, y], i) => `${i ? "L" : "M"}${x},${y}`).join("");
    this.path(d, kind, attributes);
  }

  wave({ a, b, level }) {
    const piece = (first, last) => Array.from({ length: 601 }, (_, i) => {
      const angle = first + (last - first) * i / 600;
      return [this.across(angle), this.up(Math.sin(angle))];
    });
    this.curve(piece(...this.seen), "axis");
    this.curve(piece(b - a, b + a), "line measured");
    const { bottom } = this.box;
    const strip = ([start, end]) => `M${this.across(start)},${bottom + 3}` +
      `H${this.across(end)}v8H${this.across(start)}z`;
    this.path(strip([b - a, b + a]), "axis");
    const arcs = arcsBelow(Math.asin(level), a, b);
    this.path(arcs.map(strip).join(""), "bars third", { style: "fill-opacity: 1" });
  }

  level({ a, b, level }) {
    const { left, right, bottom } = this.box;
    const y = this.up(level);
    this.path(`M${left},${y}H${right}`, "line level");
    this.text("y", right + 4, y + 4, "start");
    const { rising, falling } = levelCrossings(Math.asin(level), a, b);
    if (rising.length + falling.length > DRAWN_CROSSINGS) return;
    for (const angle of [...rising, ...falling]) {
      this.path(`M${this.across(angle)},${y}V${bottom + 3}`, "axis");
    }
    const hollow = "fill: none; stroke: currentColor; stroke-width: 1.5";
    for (const angle of rising) this.dot(this.across(angle), y, "level");
    for (const angle of falling) this.dot(this.across(angle), y, "level", 4, hollow);
  }

  /* The first angles stay: a point on the wave, a stroke at the axis of heights. */
  arrivals({ a, b, numbers, sines }) {
    const { start } = this.box;
    sines.subarray(0, MARKED_ANGLES).forEach((sine, i) => {
      this.dot(this.across(a * numbers[i] + b), this.up(sine), "measured", 2.5);
      this.path(`M${start - 8},${this.up(sine)}h8`, "line measured",
        { style: "stroke-width: 1" });
    });
  }

  /* Half of the way goes up or down to the wave, the other half across. */
  flight({ a, b, numbers }, number, part) {
    const { start, bottom } = this.box;
    const angle = a * numbers[number - 1] + b;
    const [x, y] = [this.across(angle), this.up(Math.sin(angle))];
    const rise = between(2 * part), cross = between(2 * part - 1);
    const place = [x + (start - x) * cross, bottom + (y - bottom) * rise];
    if (number < MARKED_ANGLES) {
      const way = cross ? [[x, bottom], [x, y], place] : [[x, bottom], place];
      this.curve(way, "line measured", { style: "stroke-width: 1" });
    }
    this.dot(...place, "measured", number < MARKED_ANGLES ? 4.5 : 2.5);
  }
}

function fourDigits(number) {
  return number < 5e-10 ? "0" : number.toFixed(4);
}

/* All that is written about a scene: of the whole range, of the law, of the sample. */
function foldingNumbers({ a, b, level, sines }) {
  const crossing = Math.asin(level), drawn = sines.length;
  const below = sines.reduce((sum, sine) => sum + (sine <= level), 0);
  return { ...levelCrossings(crossing, a, b), level, crossing, drawn,
    share: shareBelow(crossing, a, b), law: arcsineShare(crossing),
    distance: distanceToArcsine(a, b), bound: Math.PI / (4 * a),
    sampleShare: below / drawn, sampleDistance: sampleDistance(sines),
    sampleBound: 1.63 / Math.sqrt(drawn) };
}

function crossingWords({ rising, falling, crossing, level }) {
  const families = [];
  if (rising.length) families.push(`● arcsin y = ${crossing.toFixed(2)}`);
  if (falling.length) {
    families.push(`○ π - arcsin y = ${(Math.PI - crossing).toFixed(2)}`);
  }
  const count = rising.length + falling.length;
  const where = count ? ` ${families.join(", ")}, plus whole turns.` : "";
  return `Crossings of y = ${level.toFixed(2)}: ${count}.${where}`;
}

function foldingRows(found) {
  const { sampleShare, sampleDistance: gap, sampleBound } = found;
  const drawn = [fourDigits(sampleShare), fourDigits(gap),
    `1.63/√N = ${fourDigits(sampleBound)}`];
  return [
    ["law", "at or below y", "KS distance", "yardstick"],
    ["all angles", fourDigits(found.share), fourDigits(found.distance),
      `π/4a = ${fourDigits(found.bound)}`],
    [`N = ${grouped(found.drawn)}`, ...(found.drawn ? drawn : [])],
    ["arcsine law", fourDigits(found.law)],
  ];
}

/* What is said about the drawing. Of what changes only the change is read out, and
   nothing while numbers run. */
class FoldingReport {
  constructor(simple) {
    this.simple = simple;
    const rowHead = { scope: "row", class: "number", style: "text-align: left" };
    this.words = element("span");
    this.cells = [0, 1, 2, 3].map((row) => [0, 1, 2, 3].map((column) =>
      row && column ? element("td") : element("th", row ? rowHead : { scope: "col" })));
    this.output = element("output", { "aria-live": "polite", "aria-atomic": "false" },
      this.words, simple ? "" : element("table", {}, ...this.cells.map((row) =>
        element("tr", {}, ...row))));
  }

  write(found, running) {
    this.output.setAttribute("aria-live", running ? "off" : "polite");
    const put = (node, text) => {
      if (node.textContent !== text) node.textContent = text;
    };
    const share = fourDigits(found.share);
    const more = ` The sine is at or below y on ${share} of the range.`;
    put(this.words, crossingWords(found) + (this.simple ? more : ""));
    const rows = foldingRows(found);
    this.cells.forEach((row, i) => row.forEach((cell, j) => put(cell, rows[i][j] || "")));
  }
}

/* Time that passes while it is switched on; `tick()` is called in each frame. */
function foldingClock(tick) {
  const clock = { seconds: 0, running: false };
  let before = null, asked = null;
  const frame = (now) => {
    // A page in the background sleeps: its next frame is not a jump.
    clock.seconds += Math.min(500, now - (before ?? now)) / 1000;
    before = now;
    asked = requestAnimationFrame(frame);
    tick();
  };
  clock.run = () => {
    clock.running = true;
    before = null;
    asked = requestAnimationFrame(frame);
  };
  clock.stop = () => {
    clock.running = false;
    cancelAnimationFrame(asked);
  };
  return clock;
}

const FOLDING_NOTE = "The angle θ = aX + b is uniform from b - a to b + a: there the " +
  "wave is blue. Green: the angles whose sine is at or below the level. Blue bars: the " +
  `sines drawn; from ${FULL_BARS} on they are densities. Orange: the arcsine density.`;
const SIMPLE_NOTE = "The angle θ runs from b - a to b + a: there the wave is blue. " +
  "Green: the angles whose sine is at or below the level. ● the sine rises, ○ it " +
  "falls.";

function exploreFolding(root, spec) {
  const state = { a: spec.a, b: spec.b, level: spec.level, seed: spec.seed };
  const { simple } = spec;
  const plot = new FoldingPlot(simple), report = new FoldingReport(simple);
  const draw = () => drawFolding(state, clock, plot, report);
  const redraw = onceAFrame(draw);
  const set = (name, value) => {
    state[name] = value;
    redraw();
  };
  const clock = foldingClock(() => {
    if (clock.seconds >= DRAWING_SECONDS + FLIGHT_SECONDS) buttons.pause();
    draw();
  });
  const buttons = drawingButtons(state, clock, redraw);
  const level = slider("level y", { min: -1, max: 1, step: 0.01, value: state.level },
    (y) => set("level", y), (y) => y.toFixed(2));
  plot.grip((y) => {
    level.set(y);
    set("level", y);
  });
  const stage = element("div", {}, plot.svg);
  root.append(stage,
    element("div", { class: "row" }, level,
      ...(simple ? [] : [buttons.press, buttons.again])),
    element("div", { class: "row" }, ...angleSliders(state, set)),
    report.output,
    element("p", { class: "note" }, simple ? SIMPLE_NOTE : FOLDING_NOTE));
  const resize = () => {
    plot.resize(between(stage.clientWidth || 340, 280, 760));
    draw();
  };
  resize();
  new ResizeObserver(onceAFrame(resize)).observe(stage);
}

/* What draws angles, and what throws them away for new ones. */
function drawingButtons(state, clock, redraw) {
  const empty = () => {
    clock.seconds = 0;
    state.numbers = uniformNumbers(state.seed++, ALL_ANGLES);
    redraw();
  };
  const pause = () => {
    clock.stop();
    press.textContent = "draw angles";
    redraw();
  };
  const press = button("draw angles", () => {
    if (clock.running) return pause();
    if (clock.seconds >= DRAWING_SECONDS + FLIGHT_SECONDS) empty();
    if (prefersStillness()) {
      clock.seconds = nextPower(clock.seconds);
      return redraw();
    }
    press.textContent = "pause";
    clock.run();
  });
  empty();
  return { press, pause, again: button("start again", empty) };
}

function drawFolding(state, clock, plot, report) {
  const arrived = state.numbers.subarray(0, arrivedAfter(clock.seconds));
  const moves = clock.seconds > 0 && !prefersStillness();
  const scene = { ...state, sines: foldingSines(arrived, state.a, state.b),
    flying: moves ? anglesInFlight(clock.seconds) : [] };
  const found = foldingNumbers(scene);
  plot.draw(scene);
  report.write(found, clock.running);
  const [first, last] = [state.b - state.a, state.b + state.a].map(angleName);
  const histogram = ` Right a histogram of ${grouped(found.drawn)} sines, with the ` +
    "arcsine density.";
  plot.svg.setAttribute("aria-label", `${plot.simple ? "The" : "Left the"} sine from ` +
    `the angle ${first} to ${last}. ${crossingWords(found)} The sine is at or below ` +
    `this level on ${fourDigits(found.share)} of the range.` +
    `${plot.simple ? "" : histogram}`);
}

/* Controls of a and b: the sliders pass exactly through the named angles. */
function angleSliders(state, set) {
  const { PI } = Math;
  const over = (name, stops) => {
    const value = stops.indexOf(state[name]);
    const label = slider(name, { min: 0, max: stops.length - 1, step: 1, value },
      (i) => set(name, stops[i]), (i) => angleName(stops[i]));
    label.lastChild.style.minWidth = "5ch";  // so that what follows stays in place
    return label;
  };
  const stops = sliderStops((i) => PI / 2 * 2 ** ((i - 48) / 20), 143,
    [...new Set([PI / 2, PI, 1.5 * PI, 30, state.a])]);
  const amplitude = over("a", stops);
  const jumps = [PI / 2, PI, 30].map((a) => button(`a = ${angleName(a)}`, () => {
    amplitude.set(stops.indexOf(a));
    set("a", a);
  }));
  const shift = over("b", sliderStops((i) => i * PI / 24, 49, [state.b]));
  return [amplitude, element("span", { class: "choice" }, ...jumps), shift];
}
