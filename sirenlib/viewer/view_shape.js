/* needs: frame network rays stage renderer gpu_shape cpu_shape */
/* The neural shape: a signed distance function that the reader turns, zooms and cuts. */

const NEAREST = 20, SMALLEST = 0.5;  // zoom
const STEP = Math.PI / 24;  // of an arrow key
const AXES = ["x", "y", "z"];
const SIDE = 480;  // of the drawing, in CSS pixels, where there is room
const TO_TURN = "Drag it, or click it and use the arrow keys, to turn. Once it is " +
  "clicked, the wheel, two fingers, or + and − zoom; 0 starts over.";

/* `spec` has the network, the colors, how the eye looks, the color of the surface, the
   steps of a ray, the renderer, and what Scene in Python has. */
function viewShape(root, spec) {
  new ShapeViewer(root, spec);
}

class ShapeViewer {
  constructor(root, spec) {
    this.spec = spec;
    this.network = readNetwork(spec.network);
    this.first = { turn: spec.camera.turn, tilt: spec.camera.tilt, zoom: 1 };
    this.state = { ...this.first, mode: 0, cut: -1, place: 0.5 };
    this.stage = stageFor(
      `${spec.alt} Arrow keys turn it, plus and minus zoom, 0 starts over.`);
    this.stage.style = `position: relative; width: ${SIDE}px; aspect-ratio: 1`;
    this.names = AXES.map((name) => element("span", { "aria-hidden": true,
      style: "position: absolute; transform: translate(-50%, -50%); " +
        "pointer-events: none" }, name));
    this.readout = element("output", { "aria-live": "polite" });
    this.numbers = element("div", {}, this.readout);
    this.scale = element("p", { class: "note" });
    this.drawSoon = onceAFrame(() =>
      this.renderer?.draw({ ...this.state }, () => this.busy(false)));
    root.append(this.buttons(), element("div", { class: "row" }, this.stage,
      element("div", { class: "side" }, this.cutter(), this.scale, this.numbers,
        element("p", { class: "note" }, TO_TURN))));
    this.listen();
    new ResizeObserver(() => this.resize()).observe(this.stage);
    this.draw();
    whenVisible(this.stage, () => this.start());
  }

  buttons() {
    const zoomBy = (factor) => this.move({ zoom: this.state.zoom * factor });
    return element("div", { class: "row" },
      choice("What the surface shows", ["shape", "normals", "|gradient|"],
        (mode) => this.move({ mode })),
      element("span", { class: "choice" },
        button("+", () => zoomBy(1.25), { "aria-label": "zoom in" }),
        button("−", () => zoomBy(1 / 1.25), { "aria-label": "zoom out" }),
        button("start over", () => this.move(this.first)),
        switchFor("numbers", this.numbers)));
  }

  cutter() {
    const { low, high } = this.spec;
    const range = { min: 0, max: 100, step: 1, value: 50 };
    const at = (percent) => {
      const cut = Math.max(0, this.state.cut);
      const edge = low[cut] + (percent / 100) * (high[cut] - low[cut]);
      return this.state.cut < 0 ? "" : `${AXES[cut]} = ${edge.toFixed(2)}`;
    };
    const place = slider("cut at", range, (percent) =>
      this.move({ place: percent / 100 }), at);
    const input = place.querySelector("input");
    input.disabled = true;
    const axis = choice("Cut across", ["whole", ...AXES.map((name) => `cut ${name}`)],
      (index) => {
        this.move({ cut: index - 1 });
        input.disabled = index === 0;
        place.set(input.value);
      });
    return element("div", { class: "row" }, axis, place);
  }

  start() {
    const { network, spec } = this;
    withRenderer(spec.renderer, (lost) => new ShapeShader(network, spec, lost),
      () => new ShapePasses(network, spec), (found) => this.use(found));
  }

  use(renderer) {
    this.renderer = renderer;
    renderer.canvas.width = 0;  // of no size yet
    this.stage.replaceChildren(renderer.canvas, ...this.names);
    this.resize();
  }

  resize() {
    if (this.renderer && fitToStage(this.renderer, this.stage)) this.draw();
  }

  listen() {
    const drag = ([fromY, fromX], [toY, toX]) => this.move({
      turn: this.state.turn - (toX - fromX) * Math.PI,
      tilt: this.state.tilt + (toY - fromY) * Math.PI });
    const zoom = (place, factor) => this.move({ zoom: this.state.zoom * factor });
    const key = (name) => {
      const change = turnByKey(name, this.state, this.first);
      if (change) this.move(change);
      return change;
    };
    listenTo(this.stage, { drag, zoom, key, point: (place) => this.say(place) });
  }

  /* Change something of the state. */
  move(change) {
    const { state } = this;
    Object.assign(state, change);
    state.zoom = between(state.zoom, SMALLEST, NEAREST);
    state.tilt = between(state.tilt, -Math.PI / 2, Math.PI / 2);
    this.draw();
  }

  draw() {
    this.busy(true);
    if (this.renderer) this.renderer.scene = null;  // what is half drawn is dropped
    this.drawSoon();
    this.label();
    this.say([0, 0]);
    this.scale.textContent = shapeScale(this.state, this.spec);
  }

  busy(yes) {
    this.stage.setAttribute("aria-busy", yes);
  }

  /* Put the name of each axis beside an edge of the box that is seen in any turn: two
     at the bottom in front, and an upright one at the side. */
  label() {
    const { low, high } = this.spec;
    const { eye, right, up, forward } = eyeAt(this.state, this.spec);
    const middle = scaled(plus(low, high), 0.5);
    const half = scaled(plus(high, scaled(low, -1)), 0.56);  // and a little beyond
    const [x, y] = eye.map((each, i) => (each > middle[i] ? half[i] : -half[i]));
    const edges = [[0, y, -half[2]], [x, 0, -half[2]], [x, -y, 0]];
    edges.forEach((edge, i) => {
      const away = plus(plus(middle, edge), scaled(eye, -1));
      const [across, above] = [right, up].map((axis) =>
        dotOf(away, axis) / dotOf(axis, axis) / dotOf(away, forward));
      const name = this.names[i];
      name.style.left = `${50 + 50 * across}%`;
      name.style.top = `${50 - 50 * above}%`;
      name.hidden = Math.max(Math.abs(across), Math.abs(above)) > 0.97;
    });
  }

  /* Write the numbers where the ray through a place ends. */
  say([y, x]) {
    this.readout.textContent = shapeReading(this.network.tiles[0], this.spec, this.state,
      y, x);
  }
}

function turnByKey(key, { turn, tilt, zoom }, first) {
  return {
    ArrowUp: { tilt: tilt + STEP },
    ArrowDown: { tilt: tilt - STEP },
    ArrowLeft: { turn: turn - STEP },
    ArrowRight: { turn: turn + STEP },
    "+": { zoom: zoom * 1.25 },
    "=": { zoom: zoom * 1.25 },
    "-": { zoom: zoom / 1.25 },
    0: first,
  }[key];
}

function shapeReading(layers, spec, state, y, x) {
  const view = eyeAt(state, spec);
  const ray = rayThrough(view, 2 * y, 2 * x);
  Object.assign(ray, insideBox(boxOf(spec, state, view.eye), view.eye, ray.through));
  followRays(layers, spec, view.eye, [ray]);
  const onCut = ray.near < ray.far && ray.face === state.cut;
  const zoom = `zoom ${state.zoom.toPrecision(3)}×`;
  if (!onCut && Number.isNaN(ray.depth)) return `nothing here\n${zoom}`;
  const depth = onCut ? ray.near : ray.depth;
  const [{ value, slopes }] = slopesAlong(layers, view.eye, [ray], () => depth);
  const point = plus(view.eye, scaled(ray.through, depth));
  return [
    AXES.map((name, i) => `${name} ${point[i].toFixed(4)}`).join("  "),
    `value ${value.toFixed(4)}  |gradient| ${Math.hypot(...slopes).toFixed(3)}`,
    zoom,
  ].join("\n");
}

function shapeScale({ mode, cut }, { edge, spacing }) {
  const surface = ["The surface is where the network is 0.",
    "Red, green and blue are the x, y and z of the normal, from −1 to 1.",
    "White is 1, as of a distance; blue is less, to 0, and red more, to 2."][mode];
  const high = Number(edge.toPrecision(3));
  return surface + (cut < 0 ? "" : " On the cut blue is below 0, inside, red is above, " +
    `to ${high}. There is a line every ${spacing}, and 0 is black.`);
}
