/* needs: frame network colors stage renderer gpu cpu */
/* The neural picture: a network in a frame that the reader zooms into. */

const MODES = ["value", "gradient", "laplacian", "bands"];
const FIELDS = ["picture", "|gradient|", "Laplacian"];
const FARTHEST = 0.5, CLOSEST = 1e6;  // zoom
const HIGHEST = 576;     // of the drawing, in CSS pixels: it fills the width before
const FLIGHT = 1200;     // milliseconds to a place
const NARROWEST = 0.06;  // band, more than a border leans to a side
const HOW_TO = "Click or tap the picture first. Then the wheel, two fingers, or + and " +
  "− zoom; dragging or the arrow keys move; 0 shows all. The orange line is the edge " +
  "of the training picture.";

const PICTURE_STYLE = `
.board { position: relative; }
.stage { height: 100%; }
.borders { position: absolute; inset: 0; overflow: hidden; pointer-events: none; }
.border { position: absolute; top: 0; bottom: 0; width: 32px; margin-left: -16px;
  pointer-events: auto; touch-action: pan-y; user-select: none; cursor: ew-resize;
  background: linear-gradient(90deg, #fff0 14px, #fff 0 18px, #fff0 0); }
.border::after { content: ""; position: absolute; inset: calc(50% - 18px) 9px;
  border-radius: 7px; background: #fff; box-shadow: 0 0 4px #000; }
.border:focus-visible { outline: none; }
.border:focus-visible::after { outline: 4px solid #d9731a; }
@media (max-width: 420px) { button { padding: 0.25rem 0.5rem; } }`;

/* `spec` has the network, the shape, range and window of its signal, the training pixels
   as the address of a picture or null, the color tables, how many times as long as wide
   a picture may be drawn, the places as names with their windows, and the renderer. */
function viewPicture(root, spec) {
  new PictureViewer(root, spec);
}

class PictureViewer {
  constructor(root, spec) {
    this.spec = spec;
    this.network = readNetwork(spec.network);
    this.frame = pictureFrame(spec);
    this.state = { ...home(this.frame), mode: "value", split: 0, cuts: [0.44, 0.66] };
    this.stage = stageFor(
      `${spec.alt} Arrow keys move, plus and minus zoom, 0 shows all.`);
    this.readout = element("output", { "aria-live": "polite" });
    this.scale = element("p", { class: "note" });
    this.numbers = element("div", {}, this.readout, this.scale);
    this.handles = [0, 1].map((i) => borderHandle(this, i));
    this.borders = element("div", { class: "borders" }, ...this.handles);
    this.drawSoon = onceAFrame(() =>
      this.renderer?.draw(this.scene(), () => this.busy(Boolean(this.flight))));
    const { aspect } = this.frame;
    const width = `width: min(100%, ${Math.round(HIGHEST * aspect)}px)`;
    root.append(element("style", {}, PICTURE_STYLE),
      element("div", { class: "row" }, choice("What is drawn", [...FIELDS, "all three"],
        (index) => this.pick(index))),
      element("div", { class: "board", style: `${width}; aspect-ratio: ${aspect}` },
        this.stage, this.borders),
      this.buttons(), ...(spec.pixels ? [this.splitter()] : []), this.numbers,
      element("p", { class: "note" }, HOW_TO));
    this.listen();
    new ResizeObserver(() => this.resize()).observe(this.stage);
    this.say();
    this.pick(0);
    const start = (pixels) => this.start(pixels);
    whenVisible(this.stage, () => withPicture(spec.pixels, start));
  }

  buttons() {
    const zoomBy = (factor) => this.move({ zoom: this.state.zoom * factor });
    return element("div", { class: "row" },
      element("span", { class: "choice" },
        button("+", () => zoomBy(1.5), { "aria-label": "zoom in" }),
        button("−", () => zoomBy(1 / 1.5), { "aria-label": "zoom out" }),
        button("whole picture", () => this.fly(home(this.frame))),
        switchFor("numbers", this.numbers)),
      element("span", { class: "choice" }, ...this.spec.places.map(([name, window]) =>
        button(name, () => this.fly(placeOf(window, this.frame))))));
  }

  splitter() {
    const range = { min: 0, max: 100, step: 1, value: 0 };
    return slider("pixels, from the left", range, (percent) => {
      this.state.split = percent / 100;
      this.draw();
    }, (percent) => `${percent} %`);
  }

  start(pixels) {
    const { network, spec: { renderer, colors } } = this;
    const material = { pixels, colors: bytes(colors) };
    withRenderer(renderer, (lost) => new ShaderRenderer(network, material, lost),
      () => new ProcessorRenderer(network, material), (found) => this.use(found));
  }

  use(renderer) {
    this.renderer = renderer;
    renderer.canvas.width = 0;  // of no size yet
    this.stage.replaceChildren(renderer.canvas);
    this.resize();
  }

  resize() {
    if (this.renderer && fitToStage(this.renderer, this.stage)) this.draw();
  }

  /* How much of each axis is seen. */
  spans() {
    return this.frame.extent.slice(2).map((whole) => whole / this.state.zoom);
  }

  edges() {
    if (this.state.mode !== "value") {
      this.fields ??= fieldEdges(this.network, this.frame.extent);
    }
    return [...this.spec.range, ...(this.fields ?? [1, 1])];
  }

  scene() {
    const { mode, split, cuts, row, column } = this.state;
    return { mode, split, cuts: [...cuts], extent: this.frame.extent,
      edges: this.edges(), view: [row, column, ...this.spans()] };
  }

  draw() {
    this.busy(true);
    if (this.renderer) this.renderer.scene = null;  // what is half drawn is dropped
    this.drawSoon();
  }

  busy(yes) {
    this.stage.setAttribute("aria-busy", yes);
  }

  pick(index) {
    this.state.mode = MODES[index];
    this.scale.textContent = scaleText(this.state.mode, this.edges(), this.spec.window);
    this.borders.hidden = this.state.mode !== "bands";
    this.draw();
  }

  /* Change the row and the column of the middle, or the zoom. */
  move(change) {
    this.flight = null;
    this.go(change);
  }

  /* Go there in a straight line, zooming as steadily as one can. */
  fly({ row, column, zoom }) {
    const [from, start] = [{ ...this.state }, performance.now()];
    const shrunk = from.zoom / zoom;  // what is seen at the end, by what is seen now
    const flight = {};
    this.flight = flight;
    const step = () => {
      if (this.flight !== flight) return;
      const time = prefersStillness() ? 1 : between((performance.now() - start) / FLIGHT);
      const eased = time * time * (3 - 2 * time);
      const way = Math.abs(shrunk - 1) < 1e-6 ? eased
        : (shrunk ** eased - 1) / (shrunk - 1);
      if (time === 1) this.flight = null;
      this.go({ row: from.row + (row - from.row) * way,
        column: from.column + (column - from.column) * way,
        zoom: from.zoom * shrunk ** -eased });
      if (this.flight) requestAnimationFrame(step);
    };
    step();
  }

  go(change) {
    const { state, frame: { extent: [top, left, tall, wide] } } = this;
    Object.assign(state, change);
    state.zoom = between(state.zoom, FARTHEST, CLOSEST);
    state.row = within(state.row, top - tall, top + 2 * tall);
    state.column = within(state.column, left - wide, left + 2 * wide);
    this.draw();
    this.say();
  }

  listen() {
    const { state } = this;
    const drag = ([fromY, fromX], [toY, toX]) => {
      const [rows, columns] = this.spans();
      this.move({ row: state.row - (toY - fromY) * rows,
        column: state.column - (toX - fromX) * columns });
    };
    const zoom = ([y, x], factor) => {
      const [rows, columns] = this.spans();
      const zoom = between(state.zoom * factor, FARTHEST, CLOSEST);
      const rest = 1 - state.zoom / zoom;  // what is under the cursor stays there
      this.move({ zoom, row: state.row + y * rows * rest,
        column: state.column + x * columns * rest });
    };
    const point = ([y, x]) => {
      const [rows, columns] = this.spans();
      this.say(state.row + y * rows, state.column + x * columns);
    };
    const key = (name) => {
      const change = changeByKey(name, state, this.spans(), this.frame);
      if (change) this.move(change);
      return change;
    };
    listenTo(this.stage, { drag, zoom, point, key });
  }

  /* Write the numbers at a place, the middle if none is given. */
  say(row = this.state.row, column = this.state.column) {
    this.readout.textContent = reading(this.network, row, column, this.state.zoom);
  }
}

function withPicture(address, use) {
  if (!address) {
    use(null);
    return;
  }
  const picture = new Image();
  picture.onload = () => use(picture);
  picture.src = address;
}

/* A value between two edges, of which either may be the larger one. */
function within(value, one, other) {
  return between(value, Math.min(one, other), Math.max(one, other));
}

/* The border behind band i: a mouse, a finger or the arrow keys move it. */
function borderHandle(viewer, i) {
  const { state, frame } = viewer;
  const move = (place) => {
    state.cuts[i] = between(place, ...limits(i));
    viewer.handles.forEach(tell);
    viewer.draw();
  };
  const limits = (k) => [(k ? state.cuts[0] : 0) + NARROWEST,
    (k ? 1 : state.cuts[1]) - NARROWEST];
  const tell = (handle, k) => {
    const percents = [state.cuts[k], ...limits(k)].map((x) => Math.round(100 * x));
    handle.style.left = `${100 * state.cuts[k]}%`;
    ["now", "min", "max"].forEach((name, n) =>
      handle.setAttribute(`aria-value${name}`, percents[n]));
  };
  const handle = element("div", { class: "border", role: "slider", tabindex: 0,
    "aria-label": `border between ${FIELDS[i]} and ${FIELDS[i + 1]}`,
    style: `transform: skewX(${-Math.atan(SLANT * frame.aspect)}rad)`,
    pointerdown: (event) => handle.setPointerCapture(event.pointerId),
    pointermove: (event) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const box = viewer.borders.getBoundingClientRect();
      move((event.clientX - box.left) / box.width
        + SLANT * ((event.clientY - box.top) / box.height - 0.5));
    },
    keydown: (event) => {
      const step = { ArrowLeft: -0.02, ArrowDown: -0.02, ArrowRight: 0.02, ArrowUp: 0.02,
        Home: -1, End: 1 }[event.key];
      if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      move(state.cuts[i] + step);
    } });
  tell(handle, i);
  return handle;
}

/* The extent of the training picture, half a pixel beyond its outer coordinates. A side
   is negative where its coordinates descend. A single row or column is as wide as the
   pixels of the other axis are apart. */
function pictureFrame({ shape: [rows, columns], window, longest }) {
  const [[top, bottom], [left, right]] = window;
  let down = (bottom - top) / (rows - 1 || Infinity);
  let across = (right - left) / (columns - 1 || Infinity);
  down ||= Math.abs(across) || 2;
  across ||= Math.abs(down);
  const [tall, wide] = [down * rows, across * columns];
  const extent = [(top + bottom - tall) / 2, (left + right - wide) / 2, tall, wide];
  return { extent, aspect: between(columns / rows, 1 / longest, longest) };
}

function home({ extent: [top, left, tall, wide] }) {
  return { row: top + tall / 2, column: left + wide / 2, zoom: 1 };
}

/* The middle of a window, and the zoom at which all of it is seen. */
function placeOf([[top, bottom], [left, right]], { extent: [, , tall, wide] }) {
  const zoom = Math.min(Math.abs(tall / (bottom - top)), Math.abs(wide / (right - left)));
  return { row: (top + bottom) / 2, column: (left + right) / 2,
    zoom: between(zoom, FARTHEST, CLOSEST) };
}

function reading(network, row, column, zoom) {
  const state = evaluateNetwork(network, Float64Array.of(row, column), true);
  const { gradient, laplacian } = meanOf(state, 0, 1, network.outputs);
  const values = Array.from(state.subarray(0, network.outputs), (v) => v.toFixed(6));
  const digits = Math.max(4, Math.ceil(Math.log10(zoom)) + 3);
  return [
    `row ${row.toFixed(digits)}  column ${column.toFixed(digits)}`,
    `value ${values.join(", ")}`,
    `gradient (${gradient.map((slope) => slope.toFixed(3)).join(", ")})`,
    `Laplacian ${laplacian.toFixed(2)}  zoom ${zoom.toPrecision(3)}×`,
  ].join("\n");
}

function scaleText(mode, [low, high, ...fields], [, [left, right]]) {
  const [slope, laplacian, wide] = [...fields, Math.abs(right - left)].map((number) =>
    Number(number.toPrecision(3)));
  const texts = {
    value: `Black is ${low}, white is ${high}.`,
    gradient: `From 0, dark, to ${slope} per unit, bright. The picture is ` +
      `${wide} unit${wide === 1 ? "" : "s"} wide.`,
    laplacian: `White is 0, red is ${laplacian} per unit² and more, blue the ` +
      "same below 0.",
  };
  return texts[mode] ?? Object.values(texts).join(" ");
}

function changeByKey(key, { row, column, zoom }, [rows, columns], frame) {
  return {
    ArrowUp: { row: row - rows / 10 },
    ArrowDown: { row: row + rows / 10 },
    ArrowLeft: { column: column - columns / 10 },
    ArrowRight: { column: column + columns / 10 },
    "+": { zoom: zoom * 1.25 },
    "=": { zoom: zoom * 1.25 },
    "-": { zoom: zoom / 1.25 },
    0: home(frame),
  }[key];
}
