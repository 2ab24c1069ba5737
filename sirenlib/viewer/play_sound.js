/* needs: frame network line stage */
/* A sound that the page computes from its network: heard, and seen between samples. */

const CLOSEST_SAMPLES = 4;   // across the waveform
const DOTS_APART = 6;        // pixels from which on the samples are drawn
const SLICE = 15;            // milliseconds of work, after which the page is free
const STEP_WORK = 2e6;       // multiplications between two looks at the clock
const BUFFER_RATES = [8000, 96000];  // samples a second that every browser plays
const SOUND_HOW_TO = "Click or tap the waveform to play from there, and drag it to " +
  "move along. Two fingers, or + and −, zoom, and so does the wheel once the waveform " +
  "has been clicked; the arrow keys move, 0 shows all, the space bar plays.";

const SOUND_STYLE = `
.wave { position: relative; }
.wave .stage, .wave .stage:focus { touch-action: pan-y; height: 170px; overflow: hidden; }
.playhead { position: absolute; top: 0; bottom: 0; width: 2px; margin-left: -1px;
  background: currentColor; pointer-events: none; }
.times { display: flex; justify-content: space-between; margin-top: 0.35rem; }
.play { min-width: 9.5rem; }`;

/* `spec` has the network, the samples a second and how many, the ends of the window, the
   value that is played as loud as can be, and in 16 bits the sound to compare it with,
   or null. */
function playSound(root, spec, host) {
  new SoundPlayer(root, spec, host);
}

/* The network as a function of the place among its samples, which are 0, 1, 2, ... */
class NetworkSound {
  constructor({ network, samples, window: [first, last] }) {
    this.network = readNetwork(unrounded(network));
    this.coordinateOf = (place) => first + (last - first) * (place / (samples - 1));
    this.samples = new Float32Array(samples);
    this.known = 0;
    const each = this.network.tiles[0].reduce((sum, { W }) => sum + W.length, 0);
    this.batch = between(Math.floor(STEP_WORK / each), 4, 1024);
  }

  valuesAt(places) {
    return valuesAlong(this.network, Float64Array.from(places, this.coordinateOf));
  }

  /* Compute all samples, and call back after each slice of time. */
  compute(tell) {
    inSlices(this.samples.length, this.batch, (from, to) => {
      const places = Array.from({ length: to - from }, (_, i) => from + i);
      this.samples.set(this.valuesAt(places), from);
      this.known = to;
    }, tell);
  }
}

/* Do so much work in batches, and call `tell(done)` after each slice of time; it may say
   false to end it. */
function inSlices(total, batch, work, tell) {
  let done = 0;
  const slice = () => {
    const start = performance.now();
    while (done < total && performance.now() - start < SLICE) {
      const to = Math.min(total, done + batch);
      work(done, to);
      done = to;
    }
    if (tell(done) !== false && done < total) setTimeout(slice, 0);
  };
  slice();
}

/* What is heard: samples from a place on, until it is stopped or they end. */
class Tape {
  constructor(rate) {
    this.rate = rate;
    this.from = 0;
    this.source = null;
  }

  /* The place that is heard now, or where it would go on. */
  get place() {
    if (!this.source) return this.from;
    const seconds = this.context.currentTime - this.started;
    return Math.min(this.length, this.from + Math.max(0, seconds) * this.rate);
  }

  play(samples, from, ended) {
    this.stop();
    this.context ??= new AudioContext();
    this.context.resume();
    const rate = between(this.rate, ...BUFFER_RATES);
    const buffer = this.context.createBuffer(1, samples.length, rate);
    buffer.copyToChannel(samples, 0);
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.playbackRate.value = this.rate / rate;
    source.connect(this.context.destination);
    source.onended = () => source === this.source && ended();
    source.start(0, from / rate);
    Object.assign(this, { source, from, length: samples.length,
      started: this.context.currentTime });
  }

  stop() {
    this.from = this.place;
    const { source } = this;
    this.source = null;
    source?.stop();
  }
}

class SoundPlayer {
  constructor(root, spec, host) {
    Object.assign(this, { spec, host, heard: 0, dragged: 0 });
    this.sound = new NetworkSound(spec);
    this.tape = new Tape(spec.rate);
    this.recording = spec.target && Float32Array.from(
      new Int16Array(bytes(spec.target).buffer), (step) => step / 32767);
    this.whole = { start: -0.5, span: spec.samples };
    this.view = { ...this.whole };
    this.drawNext = onceAFrame(() => this.draw());
    root.append(element("style", {}, SOUND_STYLE), this.controls(), this.waveform(),
      element("p", { class: "note" }, this.legend()),
      element("p", { class: "note" }, SOUND_HOW_TO));
    this.listen();
    new ResizeObserver(() => this.resize()).observe(this.stage);
    this.show();
    whenVisible(this.stage, () => this.sound.compute((done) => this.computed(done)));
  }

  controls() {
    this.button = button("computing", () => this.toggle(),
      { class: "main play", disabled: "" });
    const seconds = this.spec.samples / this.spec.rate;
    this.slider = slider("play from", { min: 0, max: 200, step: 1, value: 0 },
      (step) => this.seek((step / 200) * this.spec.samples),
      (step) => `${((step / 200) * seconds).toFixed(2)} s`);
    const sounds = choice("What is heard", ["network", "recording"], (index) => {
      this.heard = index;
      if (this.tape.source) this.play(this.tape.place);
    });
    return element("div", { class: "row" }, this.button, this.slider,
      ...(this.recording ? [sounds] : []),
      element("span", { class: "choice" },
        button("+", () => this.zoomBy(2), { "aria-label": "zoom in" }),
        button("−", () => this.zoomBy(1 / 2), { "aria-label": "zoom out" }),
        button("whole sound", () => this.look(this.whole))));
  }

  waveform() {
    this.canvas = element("canvas");
    this.stage = stageFor(`${this.spec.alt} Its waveform. The space bar plays, arrow ` +
      "keys move, plus and minus zoom, 0 shows all.");
    this.stage.append(this.canvas);
    this.playhead = element("div", { class: "playhead" });
    this.times = [0, 1, 2].map(() => element("span", { class: "number" }));
    this.readout = element("output");
    return element("div", {},
      element("div", { class: "wave" }, this.stage, this.playhead),
      element("div", { class: "times" }, ...this.times), this.readout);
  }

  legend() {
    const { samples, rate } = this.spec;
    const dots = this.recording ? "the samples of the recording"
      : "its values at the samples";
    return `The network's ${grouped(samples)} samples, ${grouped(rate)} a second, are ` +
      `computed in this page. Zoom in until they part: the dots are ${dots}, and the ` +
      "line is what the network says between them.";
  }

  /* Samples are known up to that one. */
  computed(done) {
    const { samples } = this.spec;
    const ready = done === samples;
    this.button.disabled = !ready;
    this.button.textContent =
      ready ? "play" : `computing, ${Math.floor((100 * done) / samples)} %`;
    this.drawSoon();
    return this.host.isConnected;
  }

  // What is heard

  toggle() {
    if (this.button.disabled) return;
    if (this.tape.source) this.pause();
    else this.play(this.tape.place);
  }

  play(from) {
    const { peak } = this.spec;
    const sound = this.heard ? this.recording : this.sound.samples.map((y) => y / peak);
    const start = from < sound.length ? from : 0;
    this.tape.play(sound, start, () => {
      this.pause();
      this.seek(0);
    });
    this.button.textContent = "pause";
    this.follow();
  }

  pause() {
    this.tape.stop();
    this.button.textContent = "play";
    this.showPlace();
  }

  seek(place) {
    const from = between(place, 0, this.spec.samples);
    if (this.tape.source) this.play(from);
    else this.tape.from = from;
    this.showPlace();
  }

  /* Let the line go with what is heard; in steps, where less motion is wanted. */
  follow() {
    if (this.following) return;
    this.following = true;
    let last = -Infinity;
    const step = (now) => {
      if (!this.host.isConnected) this.tape.stop();
      this.following = this.tape.source !== null;
      if (!this.following) return;
      if (!prefersStillness() || now - last > 500) {
        this.showPlace();
        last = now;
      }
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  showPlace() {
    const { place } = this.tape;
    const share = (place - this.view.start) / this.view.span;
    this.playhead.hidden = share < 0 || share > 1;
    this.playhead.style.left = `${100 * share}%`;
    this.slider.set(Math.round((200 * place) / this.spec.samples));
  }

  // What is seen

  /* A place is [down, right], each from -1/2 to 1/2. */
  listen() {
    const drag = ([, from], [, to]) => {
      this.dragged += Math.abs(to - from);
      this.moveBy(from - to);
    };
    const zoom = (place, factor) => {
      this.dragged = 1;
      this.zoom(place, factor);
    };
    const point = (place) => this.say(place);
    const key = (name) => {
      const act = {
        ArrowLeft: () => this.moveBy(-0.1),
        ArrowRight: () => this.moveBy(0.1),
        "+": () => this.zoomBy(1.5),
        "=": () => this.zoomBy(1.5),
        "-": () => this.zoomBy(1 / 1.5),
        0: () => this.look(this.whole),
        " ": () => this.toggle(),
      }[name];
      act?.();
      return Boolean(act);
    };
    listenTo(this.stage, { drag, zoom, point, key });
    furnish(this.stage, {
      pointerdown: ({ isPrimary }) => { if (isPrimary) this.dragged = 0; },
      click: ({ clientX }) => {
        const box = this.stage.getBoundingClientRect();
        const place = [0, (clientX - box.left) / box.width - 0.5];
        if (this.dragged < 0.01) this.seek(this.placeAt(place));
      },
    }, []);
  }

  /* By a share of what is seen. */
  moveBy(share) {
    const { start, span } = this.view;
    this.look({ start: start + share * span, span });
  }

  /* Show another part: its start and its span, in samples. */
  look({ start, span }) {
    const { samples } = this.spec;
    this.view.span = between(span, CLOSEST_SAMPLES, samples);
    this.view.start = between(start, -0.5, samples - 0.5 - this.view.span);
    this.show();
  }

  placeAt([, x]) {
    return this.view.start + (x + 0.5) * this.view.span;
  }

  zoom(place, factor) {
    const { samples } = this.spec;
    const span = between(this.view.span / factor, CLOSEST_SAMPLES, samples);
    this.look({ span, start: this.placeAt(place) - (place[1] + 0.5) * span });
  }

  /* Around the line, if it is seen and has been set, or around the middle. */
  zoomBy(factor) {
    const share = (this.tape.place - this.view.start) / this.view.span;
    const at = this.tape.place && between(share) === share ? share : 0.5;
    this.zoom([0, at - 0.5], factor);
  }

  show() {
    [0, 0.5, 1].forEach((share, i) => {
      this.times[i].textContent = this.timeOf(this.view.start + share * this.view.span);
    });
    this.showPlace();
    this.drawSoon();
  }

  /* A place in seconds, as finely as is seen. */
  timeOf(place) {
    const { rate } = this.spec;
    const digits = between(Math.ceil(2 - Math.log10(this.view.span / rate)), 2, 7);
    return `${Math.max(0, place / rate).toFixed(digits)} s`;
  }

  say(place) {
    const at = this.placeAt(place);
    const [value] = this.sound.valuesAt([at]);
    this.readout.textContent = `at ${this.timeOf(at)} the network says ` +
      value.toFixed(4).replace("-", "−");
  }

  resize() {
    const { canvas, stage } = this;
    if (fitToStage({ canvas, most: Infinity }, stage)) this.drawSoon();
  }

  drawSoon() {
    this.stage.setAttribute("aria-busy", true);
    this.drawNext();
  }

  draw() {
    const { canvas, view } = this;
    const page = canvas.getContext("2d");
    page.clearRect(0, 0, canvas.width, canvas.height);
    page.fillStyle = "#808080";
    page.fillRect(0, canvas.height / 2, canvas.width, 1);
    const all = this.sound.known === this.spec.samples;
    if (view.span > canvas.width) {
      this.drawRanges(page);
      this.curve = null;
      this.stage.setAttribute("aria-busy", !all);
      return;
    }
    this.ask();
    this.drawCurve(page);
    if (canvas.width / view.span >= DOTS_APART * Math.min(2, devicePixelRatio)) {
      this.drawDots(page);
    }
    this.stage.setAttribute("aria-busy", !all || this.curve.known < canvas.width);
  }

  up(value) {
    const { height } = this.canvas;
    return height * (0.5 - 0.48 * (value / this.spec.peak));
  }

  /* In each column of pixels from the lowest sample to the highest, and to the next. */
  drawRanges(page) {
    const { canvas: { width }, view: { start, span }, sound: { samples, known } } = this;
    page.fillStyle = "#1a73b8";
    for (let x = 0; x < width; x++) {
      const first = Math.max(0, Math.ceil(start + (x / width) * span));
      const last = Math.min(known - 1, Math.ceil(start + ((x + 1) / width) * span));
      if (first > last) continue;
      let [low, high] = [Infinity, -Infinity];
      for (let i = first; i <= last; i++) {
        if (samples[i] < low) low = samples[i];
        if (samples[i] > high) high = samples[i];
      }
      page.fillRect(x, this.up(high), 1, Math.max(1, this.up(low) - this.up(high)));
    }
  }

  /* Ask the network at every column of pixels. Until that is done the curve is coarse. */
  ask() {
    const { canvas: { width }, view: { start, span } } = this;
    if (this.curve?.start === start && this.curve.span === span &&
      this.curve.values.length === width) return;
    const placeAt = (x) => start + ((x + 0.5) / width) * span;
    const curve = { start, span, known: 0, values: new Float64Array(width) };
    curve.coarse = Array.from({ length: 65 }, (_, i) => [(i / 64) * width, 0]);
    this.sound.valuesAt(curve.coarse.map(([x]) => placeAt(x - 0.5)))
      .forEach((value, i) => { curve.coarse[i][1] = value; });
    this.curve = curve;
    inSlices(width, Math.min(64, this.sound.batch), (from, to) => {
      const columns = Array.from({ length: to - from }, (_, i) => placeAt(from + i));
      curve.values.set(this.sound.valuesAt(columns), from);
    }, (done) => {
      curve.known = done;
      if (done === width) this.drawSoon();
      return curve === this.curve;
    });
  }

  drawCurve(page) {
    const { known, values, coarse } = this.curve;
    const points = known < values.length ? coarse
      : Array.from(values, (value, x) => [x + 0.5, value]);
    page.strokeStyle = "#1a73b8";
    page.lineWidth = 2 * Math.min(2, devicePixelRatio);
    page.lineJoin = "round";
    page.beginPath();
    for (const [x, value] of points) page.lineTo(x, this.up(value));
    page.stroke();
  }

  /* The samples of the recording, or of the network where there is none. */
  drawDots(page) {
    const { canvas: { width }, view: { start, span }, recording, sound } = this;
    const scale = recording ? this.spec.peak : 1;
    const samples = recording ?? sound.samples.subarray(0, sound.known);
    const last = Math.min(samples.length - 1, Math.floor(start + span));
    page.fillStyle = "#d9731a";
    for (let i = Math.max(0, Math.ceil(start)); i <= last; i++) {
      page.beginPath();
      page.arc(((i - start) / span) * width, this.up(scale * samples[i]),
        3.5 * Math.min(2, devicePixelRatio), 0, 2 * Math.PI);
      page.fill();
    }
  }
}
