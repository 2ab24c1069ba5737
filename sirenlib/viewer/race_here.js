/* needs: frame drop own_picture plot adam rivals */
/* The race: five networks learn the reader's picture, and each has its own clock. */

const RACE_SIDE = 64;
const KINDS = ["measured", "predicted", "third", "fourth", "level"];
const CLOCK = "The networks compute in turns, so that none takes time from another: " +
  "the seconds of a network are those in which it computed itself.";

const RACE_STYLE = `
.line.fourth { stroke: #c458a0; }
.racer { border-left: 4px solid currentColor; padding-left: 6px; text-align: left; }
.racer.measured { border-color: #1a73b8; } .racer.predicted { border-color: #d9731a; }
.racer.third { border-color: #2f9e5b; } .racer.fourth { border-color: #c458a0; }
.racer.level { border-left-style: dashed; }
table { border-collapse: separate; border-spacing: 0; }
th, td { padding: 0.1rem 0.6rem 0.1rem 0; vertical-align: bottom; }
th.racer { padding-left: 6px; white-space: nowrap; }
.course { flex: 1 1 16rem; max-width: 25rem; }
.pictures { align-items: flex-start; }
.pictures canvas { width: min(6.2rem, 26vw); image-rendering: pixelated; }
@media (max-width: 420px) { th, td { padding-right: 0.4rem; font-size: 12px; } }`;

/* A rival, the worker in which it computes, and what is seen of it. */
class Racer {
  constructor(rival, kind) {
    Object.assign(this, { rival, kind, name: rival.name, worker: null });
    this.canvas = element("canvas", { width: RACE_SIDE, height: RACE_SIDE, role: "img",
      "aria-label": `${rival.name} before the first step` });
    const caption = element("figcaption", { class: `racer ${kind}` }, this.name);
    this.figure = element("figure", {}, this.canvas, caption);
    this.cells = [0, 1, 2, 3].map(() => element("td"));
    this.row = element("tr", {},
      element("th", { scope: "row", class: `racer ${kind}` }, this.name), ...this.cells);
  }

  /* From the first step; `hear` is called after each report. */
  begin(task, makeWorker, hear) {
    this.end();
    const worker = makeWorker((data) => {
      if (worker !== this.worker) return;
      this.latest = data;
      this.curve.push([data.seconds, data.psnr]);
      hear();
    });
    Object.assign(this, { worker, curve: [], latest: null });
    worker.postMessage({ task: { ...this.rival, ...task } });
  }

  end() {
    this.worker?.terminate();
    this.worker = null;
  }

  get seconds() {
    return this.latest.seconds;
  }

  draw() {
    const { parameters, step, seconds, psnr } = this.latest;
    const texts = [grouped(parameters), step, seconds.toFixed(1), psnr.toFixed(1)];
    texts.forEach((text, i) => { this.cells[i].textContent = text; });
  }

  drawPicture() {
    const { prediction, step } = this.latest;
    paintGray(this.canvas, prediction);
    this.canvas.setAttribute("aria-label", `${this.result()} after ${step} steps`);
  }

  result() {
    return `${this.name} ${this.latest.psnr.toFixed(1)} dB`;
  }
}

/* What a worker does, on the page itself: where no worker may run. */
function workerOnThePage(hear) {
  let alive = true;
  const scope = { postMessage: hear };
  rivalWorker(scope);
  return {
    postMessage: (data) => setTimeout(() => alive && scope.onmessage({ data })),
    terminate: () => { alive = false; },
  };
}

/* `spec` has the values of the picture, and for how many seconds each may compute. */
function raceHere(root, spec, host) {
  const race = new Race(spec, host);
  root.append(element("style", {}, RACE_STYLE), race.stage);
  whenVisible(race.stage, () => race.restart());
}

class Race {
  constructor(spec, host) {
    Object.assign(this, { host, limit: spec.seconds, running: false, seed: 0, turns: 0,
      onThePage: false });
    this.values = floats(spec.values);
    this.racers = RIVALS.map((rival, i) => new Racer(rival, KINDS[i]));
    this.drawSoon = onceAFrame(() => this.draw());
    this.target = element("canvas", { width: RACE_SIDE, height: RACE_SIDE, role: "img",
      "aria-label": "The picture to learn" });
    this.said = element("output", { "aria-live": "polite",
      style: "overflow-wrap: anywhere" },
      "Press start, or choose a picture of your own first.");
    this.plot = racePlot(this.limit);
    this.stage = this.makeStage();
    paintGray(this.target, this.values);
  }

  makeStage() {
    this.play = button("start", () => this.setRunning(!this.running), { class: "main" });
    const take = (file) => this.take(file);
    const head = ["network", "param\u00adeters", "steps", "sec\u00adonds", "dB"];
    const course = element("figure", { class: "course" }, this.plot.svg,
      element("figcaption", {}, "PSNR in dB after so many seconds of computing, in " +
        "the colors of the table."));
    const table = element("table", { "aria-label": "The networks of the race" },
      element("thead", {}, element("tr", {}, ...head.map((text, i) =>
        element("th", { scope: "col", style: i ? "" : "text-align: left" }, text)))),
      element("tbody", {}, ...this.racers.map((racer) => racer.row)));
    return element("div", receivingFiles(take),
      element("div", { class: "row" }, this.play,
        button("reset", () => this.reset()),
        ...fileButton("your own picture …", "image/*", take)), this.said,
      element("div", { class: "row" }, course, table),
      element("div", { class: "row pictures" },
        element("figure", {}, this.target, element("figcaption", {}, "the picture")),
        ...this.racers.map((racer) => racer.figure)),
      element("p", { class: "note" }, CLOCK),
      element("p", { class: "note" }, "A picture of your own can be dropped here or " +
        "pasted, too. Nothing leaves this computer."));
  }

  /* All from their first steps, with other weights. */
  restart() {
    this.seed++;
    this.busy = false;
    const task = { coords: squareGrid(RACE_SIDE), values: this.values, seed: this.seed };
    try {
      for (const racer of this.racers) {
        racer.begin(task, (hear) => this.makeWorker(hear), () => this.hear(racer));
      }
    } catch {
      this.withoutWorkers();
    }
  }

  makeWorker(hear) {
    if (this.onThePage) return workerOnThePage(hear);
    return startWorker(rivalText(), hear, (event) => {
      event.preventDefault();
      this.withoutWorkers();
    });
  }

  withoutWorkers() {
    if (this.onThePage) return;  // said by each of the five
    this.onThePage = true;
    this.restart();
  }

  hear(racer) {
    if (racer === this.busy) this.busy = false;
    this.drawSoon();
    this.giveTurn();
  }

  /* The turn goes to whose clock is the most behind: first for short times, since most
     happens then. Stopped, or taken off its page, it goes to nobody. */
  giveTurn() {
    const ready = this.racers.every(({ latest }) => latest);
    if (!this.running || this.busy || !ready || !this.host.isConnected) return;
    const [next] = [...this.racers].sort((one, other) => one.seconds - other.seconds);
    if (next.seconds >= this.limit) {
      this.finish();
      return;
    }
    this.busy = next;
    const slice = between(0.15 * next.seconds, 0.02, 0.2);
    next.worker.postMessage({ slice: Math.min(slice, this.limit - next.seconds) });
  }

  get finished() {
    return this.racers.every(({ latest }) => latest?.seconds >= this.limit);
  }

  finish() {
    this.setRunning(false);
    const order = [...this.racers].sort((one, other) => other.latest.psnr -
      one.latest.psnr);
    this.said.textContent = `After ${this.limit} s of computing each: ` +
      `${order.map((racer) => racer.result()).join(", ")}.`;
  }

  setRunning(running) {
    if (running && this.finished) this.restart();
    this.running = running;
    this.play.textContent = running ? "stop" : "start";
    if (running) this.said.textContent = "";
    this.drawSoon();
    this.giveTurn();
  }

  reset() {
    this.setRunning(false);
    this.said.textContent = "";
    this.restart();
  }

  async take(file) {
    const turn = ++this.turns;  // of two files the later one counts
    this.said.textContent = "reading …";
    try {
      const { values, words } = await readGray(file, RACE_SIDE);
      if (turn !== this.turns) return;
      this.values = values;
      paintGray(this.target, values);
      this.target.setAttribute("aria-label", `The picture to learn: ${file.name}`);
      this.reset();
      this.said.textContent = words;
    } catch (error) {
      if (turn === this.turns) this.said.textContent = error.message;
    }
  }

  /* Who wants less motion sees the pictures when the race rests. */
  draw() {
    const begun = this.racers.filter(({ latest }) => latest);
    const first = this.limit / 100;
    this.plot.clear();
    for (const racer of begun) {
      racer.draw();
      if (!this.running || !prefersStillness()) racer.drawPicture();
      this.plot.line(racer.curve.map(([seconds, psnr]) =>
        [Math.log10(Math.max(seconds, first)), psnr]), racer.kind);
    }
    const results = begun.map((racer) => racer.result()).join(", ");
    this.plot.say(`PSNR so far: ${results}`);
  }
}

/* Seconds stand on a logarithmic axis: most happens in the first ones. */
function racePlot(limit) {
  const x = [limit / 100, limit].map(Math.log10);
  const ticks = [0.01, 0.1, 1].map((share) =>
    [Math.log10(share * limit), Number((share * limit).toPrecision(2))]);
  return new Plot({ x, y: [10, 60], width: 300, height: 170,
    label: "PSNR: nothing has been trained yet",
    ticks: { x: ticks, y: [10, 20, 30, 40, 50, 60] } });
}
