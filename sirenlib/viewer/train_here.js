/* needs: frame drop own_picture plot adam links view_picture */
/* Train it here: the reader's own picture and a sine network that learns it. */

const TRAINED_WIDTHS = [2, 64, 64, 1];
const MOST_STEPS = 3000;
// 25 dB after 12 steps at omega_0 = 30; the "fast" start takes 16.
const SINE_START = { relu: false, rate: 2e-3 };
const MOST_OMEGA = 200;  // where a picture of 64 pixels is dust between them
const RELU_START = { relu: true, rate: 1e-2, omegas: [1, 1, null] };
const HIDDEN_OMEGA = 30;
const CANVAS_STYLE = "width: min(11rem, 42vw); image-rendering: pixelated";

/* A network that learns in a worker of its own, and what is seen of it. */
class Learner {
  constructor(name, side, hear, fail) {
    Object.assign(this, { name, hear, fail, worker: null });
    this.canvas = element("canvas", { width: side, height: side, role: "img",
      style: CANVAS_STYLE, "aria-label": `The ${name} network, not drawn yet` });
    this.caption = element("figcaption");
    this.figure = element("figure", {}, this.canvas, this.caption);
  }

  /* From the first step, with another worker: nothing is left of what was. */
  begin(task, run) {
    this.end();
    Object.assign(this, { task, curve: [], latest: null });
    const worker = startWorker(workerText(), (data) => {
      if (worker !== this.worker) return;
      this.latest = data;
      this.curve.push([Math.log10(Math.max(1, data.step)), data.psnr]);
      this.hear();
    }, this.fail);
    worker.postMessage({ task, run });
    this.worker = worker;
  }

  run(run) {
    this.worker?.postMessage({ run });
  }

  end() {
    this.worker?.terminate();
    this.worker = null;
  }

  get done() {
    return this.latest?.step === MOST_STEPS;
  }

  draw() {
    if (!this.latest) return;
    const { step, psnr, prediction } = this.latest;
    paintGray(this.canvas, prediction);
    this.caption.textContent = `${this.name}, ${psnr.toFixed(1)} dB`;
    this.canvas.setAttribute("aria-label", `What the ${this.name} network makes of it ` +
      `after ${step} steps, ${psnr.toFixed(1)} dB`);
  }

  line() {
    if (!this.latest) return "";
    const { step, psnr, seconds } = this.latest;
    const pace = step ? `  ${(step / seconds).toFixed(0)} steps/s` : "";
    return `${this.name}  ${psnr.toFixed(1)} dB  step ${step}  ` +
      `${seconds.toFixed(1)} s${pace}\n`;
  }
}

/* `spec` has the side of the picture, its values, omega_0, the color tables that the
   neural picture needs, and the page that draws links or null. */
function trainHere(root, spec, host) {
  const bench = new TrainingBench(spec, host);
  root.append(bench.stage);
  whenVisible(bench.stage, () => bench.restart());
}

class TrainingBench {
  constructor(spec, host) {
    Object.assign(this, { spec, host, running: false, seed: 1, turns: 0 });
    this.values = floats(spec.values);
    this.omega = spec.omega_0;
    const draw = onceAFrame(() => this.draw());
    const fail = (error) => this.fail(error);
    this.sine = new Learner("sine", spec.side, draw, fail);
    this.relu = new Learner("ReLU", spec.side, draw, fail);
    this.learners = [this.sine];
    this.target = element("canvas", { width: spec.side, height: spec.side, role: "img",
      "aria-label": "The picture to learn", style: CANVAS_STYLE });
    this.numbers = element("output", { "aria-live": "polite" });
    this.said = element("output", { "aria-live": "polite",
      style: "overflow-wrap: anywhere; white-space: normal" },
      "Press train, or choose a picture of your own first.");
    this.plot = curvePlot();
    this.hall = element("div");
    this.stage = this.makeStage();
    paintGray(this.target, this.values);
  }

  makeStage() {
    const place = Math.round(100 * Math.log(this.omega) / Math.log(MOST_OMEGA));
    const first = this.omega;
    const omegaAt = (step) =>
      step === place ? first : Math.round(MOST_OMEGA ** (step / 100));
    this.play = button("train", () => this.setRunning(!this.running));
    this.beside = button("ReLU beside it", () => this.toggleRelu(),
      { "aria-pressed": false });
    const about = "PSNR in dB after so many steps. Blue: sine. Orange: ReLU.";
    const take = (file) => this.take(file);
    return element("div", receivingFiles(take),
      element("div", { class: "row" }, this.play, button("start again", () => {
        this.seed++;
        this.restart();
      }), this.beside,
      button("walk into it", () => this.walkInto(), { class: "main" })),
      element("div", { class: "row" },
        ...fileButton("your own picture …", "image/*", take),
        slider("omega_0", { min: 0, max: 100, step: 1, value: place },
          (step) => this.setOmega(omegaAt(step)), (step) => String(omegaAt(step)))),
      this.said,
      ...(this.spec.page ? [linkButton(this.spec.page, () => this.linked())] : []),
      element("div", { class: "row", style: "align-items: flex-start" },
        element("figure", {}, this.target, element("figcaption", {}, "the picture")),
        this.sine.figure,
        element("figure", { style: "flex: 1 1 16rem; max-width: 25rem" }, this.plot.svg,
          element("figcaption", {}, about))),
      this.numbers, ...notesOf(this.spec.side).map((note) =>
        element("p", { class: "note" }, note)), this.hall);
  }

  task(start) {
    const omegas = [this.omega, HIDDEN_OMEGA, null];
    return { widths: TRAINED_WIDTHS, omegas, ...start, seed: this.seed, steps: MOST_STEPS,
      coords: squareGrid(this.spec.side), values: this.values };
  }

  begin(learner) {
    try {
      learner.begin(this.task(learner === this.sine ? SINE_START : RELU_START),
        this.running);
      this.watch();
    } catch (error) {
      this.fail(error);  // the page allows no workers
    }
  }

  fail(error) {
    this.end();
    giveUp(this.host, error);
  }

  end() {
    clearInterval(this.watching);
    for (const learner of this.learners) learner.end();
  }

  restart() {
    this.hall.replaceChildren();
    for (const learner of this.learners) this.begin(learner);
  }

  /* An output that was taken off its page must not go on computing. */
  watch() {
    clearInterval(this.watching);
    this.watching = setInterval(() => {
      if (this.host.isConnected) return;
      this.setRunning(false);
      this.end();
    }, 300);
  }

  setRunning(running) {
    this.running = running;
    this.play.textContent = running ? "pause" : "train";
    if (running) this.said.textContent = "";
    // A reader that speaks would not keep up with ten lines a second.
    this.numbers.setAttribute("aria-live", running ? "off" : "polite");
    for (const learner of this.learners) {
      if (running && !learner.worker) this.begin(learner);
      learner.run(running);
    }
  }

  /* A slider that is dragged says many values: the last one counts. */
  setOmega(value) {
    this.omega = value;
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.restart(), 150);
  }

  toggleRelu() {
    const shown = this.learners.length > 1;
    this.beside.setAttribute("aria-pressed", !shown);
    if (shown) {
      this.relu.end();
      this.relu.figure.remove();
      this.learners = [this.sine];
      this.draw();
      return;
    }
    this.learners = [this.sine, this.relu];
    this.sine.figure.after(this.relu.figure);
    this.begin(this.relu);
  }

  async take(file) {
    const turn = ++this.turns;  // of two files the later one counts
    this.said.textContent = "reading …";
    try {
      const { values, words } = await readGray(file, this.spec.side);
      if (turn !== this.turns) return;
      this.values = values;
      this.said.textContent = words;
      paintGray(this.target, values);
      this.target.setAttribute("aria-label", `The picture to learn: ${file.name}`);
      this.restart();
    } catch (error) {
      if (turn === this.turns) this.said.textContent = error.message;
    }
  }

  draw() {
    this.plot.clear();
    this.learners.forEach((learner, i) => {
      learner.draw();
      if (learner.latest) this.plot.line(learner.curve, ["measured", "predicted"][i]);
    });
    const lines = this.learners.map((learner) => learner.line()).join("");
    this.numbers.textContent = lines;
    this.plot.say(`PSNR so far. ${lines.trim().replace("\n", "; ")}`);
    if (this.running && this.learners.every((learner) => learner.done)) {
      this.setRunning(false);
      this.said.textContent = `${MOST_STEPS} steps are done.`;
    }
  }

  /* What a link to the sine network holds. */
  linked() {
    const { latest, task } = this.sine;
    if (!latest?.step) return null;
    const { side } = this.spec;
    return { network: { ...task, weights: latest.weights }, picture:
      { shape: [side, side], range: [-1, 1], window: [[-1, 1], [-1, 1]] } };
  }

  walkInto() {
    if (!this.sine.latest) return;
    const { step, weights } = this.sine.latest;
    this.setRunning(false);
    const { widths, omegas } = this.sine.task;
    const [place, root] = shadowed();
    this.hall.replaceChildren(element("p", {},
      `The sine network after ${step} steps. Nobody told it what lies between the ` +
      "pixels."), place);
    viewPicture(root, { network: { widths, omegas, weights },
      shape: [this.spec.side, this.spec.side], range: [-1, 1],
      window: [[-1, 1], [-1, 1]], pixels: this.target.toDataURL(),
      colors: this.spec.colors, longest: 1, places: [], renderer: "auto",
      alt: `The sine network after ${step} steps.` });
    this.hall.scrollIntoView({ block: "nearest" });
  }
}

function notesOf(side) {
  const count = TRAINED_WIDTHS.slice(1).reduce((sum, width, i) =>
    sum + width * (TRAINED_WIDTHS[i] + 1), 0);
  const [weights, pixels] = [count, side * side].map(grouped);
  return [
    "A picture of your own can be dropped here or pasted, too. Nothing leaves this " +
      "computer: the page computes everything itself.",
    `The network has ${weights} parameters for ${pixels} pixels. It learns the picture ` +
      "by heart. Its first weights follow the official scheme: at this size they reach " +
      "25 dB sooner than the book's fast start. The ReLU network is as large, and " +
      "starts as PyTorch starts it.",
    "Move omega_0 and watch two things: the picture at step 0, and what is between the " +
      "pixels when you walk into it.",
  ];
}

/* The step stands on a logarithmic axis: most happens in the first ones. */
function curvePlot() {
  const plot = new Plot({ x: [0, Math.log10(MOST_STEPS)], y: [0, 50], width: 280,
    height: 140, label: "PSNR: nothing has been trained yet",
    ticks: { x: [1, 10, 100, 1000].map((step) => [Math.log10(step), step]),
      y: [10, 20, 30, 40, 50] } });
  plot.svg.style.maxWidth = "25rem";
  return plot;
}
