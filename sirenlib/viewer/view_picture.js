/* needs: frame network colors stage gpu cpu */
/* The neural picture: a network in a frame that the reader zooms into. */

const MODES = ["value", "gradient", "laplacian"];
const FARTHEST = 0.5, CLOSEST = 1e6;  // zoom
const HOW_TO = "Click or tap the picture first. Then the wheel, two fingers, or + and " +
  "− zoom; dragging or the arrow keys move; 0 shows all. The orange line is the edge " +
  "of the training picture.";

/* `spec` has the network, the shape, range and window of its signal, the training pixels
   as the address of a picture or null, the color tables, how many times as long as wide
   a picture may be drawn, and the renderer. */
function viewPicture(root, spec) {
  new PictureViewer(root, spec);
}

class PictureViewer {
  constructor(root, spec) {
    this.spec = spec;
    this.network = readNetwork(spec.network);
    this.frame = pictureFrame(spec);
    this.state = { ...home(this.frame), mode: "value", split: 0 };
    this.stage = stageFor(
      `${spec.alt} Arrow keys move, plus and minus zoom, 0 shows all.`);
    this.readout = element("output", { "aria-live": "polite" });
    this.scale = element("p", { class: "note" });
    this.drawSoon = onceAFrame(() =>
      this.renderer?.draw(this.scene(), () => this.busy(false)));
    root.append(this.buttons(), element("div", { class: "row" }, this.stage,
      element("div", { class: "side" }, ...(spec.pixels ? [this.splitter()] : []),
        this.readout, this.scale, element("p", { class: "note" }, HOW_TO))));
    this.listen();
    this.say();
    this.pick(0);
    const start = (pixels) => this.start(pixels);
    whenVisible(this.stage, () => withPicture(spec.pixels, start));
  }

  buttons() {
    const zoomBy = (factor) => this.move({ zoom: this.state.zoom * factor });
    return element("div", { class: "row" },
      choice("What is drawn", ["picture", "|gradient|", "Laplacian"],
        (index) => this.pick(index)),
      element("span", { class: "choice" },
        button("+", () => zoomBy(1.5), { "aria-label": "zoom in" }),
        button("−", () => zoomBy(1 / 1.5), { "aria-label": "zoom out" }),
        button("whole picture", () => this.move(home(this.frame)))));
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
      () => new ProcessorRenderer(network, material), (...who) => this.use(...who));
  }

  use(renderer, finest) {
    const { aspect } = this.frame;
    const [wide, tall] = [Math.min(1, aspect), Math.min(1, 1 / aspect)];
    this.renderer = renderer;
    renderer.canvas.width = Math.round(finest * wide);
    renderer.canvas.height = Math.round(finest * tall);
    this.stage.style.aspectRatio = aspect;
    this.stage.style.width = `${Math.round(STAGE_SIDE * wide)}px`;
    this.stage.replaceChildren(renderer.canvas);
    this.draw();
  }

  /* How much of each axis is seen. */
  spans() {
    return this.frame.extent.slice(2).map((whole) => whole / this.state.zoom);
  }

  edges() {
    if (this.state.mode === "value") return this.spec.range;
    this.fields ??= fieldEdges(this.network, this.frame.extent);
    return this.fields[this.state.mode];
  }

  scene() {
    const { mode, split, row, column } = this.state;
    return { mode, split, extent: this.frame.extent, edges: this.edges(),
      view: [row, column, ...this.spans()] };
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
    this.draw();
  }

  /* Change the row and the column of the middle, or the zoom. */
  move(change) {
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

function scaleText(mode, [low, high], [, [left, right]]) {
  const edge = Number(high.toPrecision(3));
  const wide = Number(Math.abs(right - left).toPrecision(3));
  return {
    value: `Black is ${low}, white is ${high}.`,
    gradient: `From 0, dark, to ${edge} per unit, bright. The picture is ` +
      `${wide} unit${wide === 1 ? "" : "s"} wide.`,
    laplacian: `White is 0, red is ${edge} per unit² and more, blue the ` +
      "same below 0.",
  }[mode];
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
