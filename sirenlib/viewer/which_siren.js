/* needs: frame drop random read_arrays diagnose */
/* Which SIREN is this? A state dict is dropped, and the page says how it was drawn. */

const MOST_OF_A_FILE = 5e8;  // bytes
const TRIED_WIDTHS = [2, 64, 64, 64, 1];
const MOST_OMEGA_0 = 200;
const DIAGNOSIS_STYLE = `
h2 { font: 600 17px/1.4 system-ui, sans-serif; margin: 0.9rem 0 0.2rem; }
p { margin: 0.3rem 0; max-width: 44rem; overflow-wrap: anywhere; }
.wide { overflow-x: auto; margin: 0.6rem 0; max-width: 100%; }
th, td { white-space: nowrap; vertical-align: bottom; }
caption { text-align: left; font-size: 13px; opacity: 0.85; }
.target { border: 1px dashed currentColor; border-radius: 4px; padding: 0.3rem 0.8rem; }`;

/* `spec` has the table of starts, the limits and the texts of sirenlib. */
function whichSiren(root, spec) {
  new Diagnosing(root, spec);
}

class Diagnosing {
  constructor(root, spec) {
    Object.assign(this, { spec, turns: 0, tried: 0, arrays: null, given: [null, null] });
    const take = (file) => this.take(file);
    this.said = element("p", { role: "status" }, "No file yet. Drop one here: .pt, " +
      ".pth, .safetensors or .npz.");
    this.omegas = ["first omega_0", "hidden omega_0"].map((name, i) =>
      slider(name, { min: 1, max: MOST_OMEGA_0, step: 1, value: 30 }, (value) => {
        this.given[i] = value;
        this.later();
      }));
    this.report = element("div");
    this.later = onceAFrame(() => this.diagnose());
    const listening = receivingFiles(take);
    const kinds = ".pt,.pth,.ckpt,.safetensors,.npz";
    root.append(element("style", {}, DIAGNOSIS_STYLE),
      element("div", { class: "target", ...listening },
        element("div", { class: "row" }, ...fileButton("choose a file …", kinds, take),
          button("try one", () => this.tryOne())),
        this.said, this.report));
  }

  async take(file) {
    const turn = ++this.turns;  // of two files the later one counts
    if (!file) {
      this.fail("That was no file. Save the state dict, then drop its file.");
      return;
    }
    this.said.textContent = "reading …";
    try {
      if (file.size > MOST_OF_A_FILE) {
        throw new Error("it is larger than 500 megabytes, too much for a page: use " +
          "sirenlib.diagnose in Python");
      }
      const arrays = await readArrays(file.name, await file.arrayBuffer());
      if (turn === this.turns) this.show(arrays, file.name);
    } catch (error) {
      if (turn !== this.turns) return;
      const short = error instanceof RangeError ? "it is damaged" : error.message;
      this.fail(`${file.name} cannot be read: ${short}.`);
    }
  }

  fail(words) {
    this.arrays = null;
    this.report.replaceChildren();
    this.said.textContent = words;
  }

  /* One fresh network after the other, as the table has them. */
  tryOne() {
    this.turns++;
    const start = this.spec.starts[this.tried % this.spec.starts.length];
    const arrays = drawnNetwork(start, TRIED_WIDTHS, seededNumbers(++this.tried));
    const also = start.also ? ` (${start.also})` : "";
    this.show(arrays, `A fresh network ${TRIED_WIDTHS.join("-")}, drawn here as ` +
      `${start.name}${also}`);
  }

  show(arrays, name) {
    this.given = [null, null];
    this.arrays = arrays;
    try {
      const { assumed } = this.diagnose();
      this.omegas.forEach((each, i) => each.set(Math.round(assumed[i])));
      this.said.textContent = `${name}.`;
    } catch (error) {
      this.fail(`${name}: ${error.message}.`);
    }
  }

  diagnose() {
    if (!this.arrays) return null;
    const found = diagnoseArrays(this.arrays, this.spec, this.given);
    const told = ["first", "hidden"].map((role, i) => found.told[i] === null
      ? `The ${role} omega_0 does not show in the numbers; ` +
        `${inDigits(found.assumed[i])} is assumed.`
      : `The ${role} omega_0 was ${inDigits(found.told[i])}, as the numbers tell.`);
    const paragraphs = [...found.evidence, ...told, found.advice];
    this.report.replaceChildren(
      element("h2", {}, `This is ${verdictWords(found)}`),
      ...paragraphs.map((text) => element("p", {}, text)),
      element("div", { class: "row" }, ...this.omegas),
      lawsTable(found.layers), deviationsTable(found.layers));
    return found;
  }
}

function verdictWords({ scheme, also }) {
  if (scheme === "trained") return "a network that has been trained";
  if (scheme === "unknown") return "no start that is known here";
  return `${scheme}${also ? `: ${also}` : ""}`;
}

function lawsTable(layers) {
  return diagnosisTable("± up to, σ deviation of a normal law, ? no law",
    ["layer", "maps", "weights", "biases"], layers.map((layer, i) => [i + 1,
      `${layer.inputs} to ${layer.outputs}`, lawWords(layer.weights),
      lawWords(layer.biases)]));
}

function deviationsTable(layers) {
  const pair = (numbers) => numbers
    ? numbers.map((number) => inDigits(number, 3)).join(" / ") : "";
  return diagnosisTable("Standard deviations, predicted / measured",
    ["layer", "phases", "sines", "gradients"], layers.map((layer, i) => [i + 1,
      pair(layer.phases), pair(layer.sines), pair(layer.gradients)]));
}

/* A table that is moved sideways where it does not fit. */
function diagnosisTable(caption, heads, rows) {
  const cells = (tag, row, attributes = {}) =>
    element("tr", {}, ...row.map((cell) => element(tag, attributes, String(cell))));
  return element("div", { class: "wide", tabindex: 0, role: "region",
    "aria-label": caption },
    element("table", {}, element("caption", {}, caption),
      element("thead", {}, cells("th", heads, { scope: "col" })),
      element("tbody", {}, ...rows.map((row) => cells("td", row)))));
}

function lawWords({ kind, count, largest, deviation }) {
  if (kind === "zero") return count ? "zero" : "none";
  if (kind === "normal") return `σ ${inDigits(deviation)}`;
  return (kind === "neither" ? "? " : "±") + inDigits(largest);
}

/* A network as a start draws it, with its usual omega_0. */
function drawnNetwork(start, widths, uniform) {
  const depth = widths.length - 1, found = new Map();
  const [first, hidden] = start.omegas;
  const scales = { "": 1, first: 1 / first, hidden: 1 / hidden };
  for (let i = 0; i < depth; i++) {
    const [inputs, outputs] = [widths[i], widths[i + 1]];
    roleOf(start, i, depth).forEach((law, k) => {
      const size = law.kind === "zero" ? 0
        : lawUnit(law, { inputs, outputs }) * scales[law.scale];
      const shape = k ? [outputs] : [outputs, inputs];
      const values = Float64Array.from({ length: k ? outputs : outputs * inputs }, () =>
        size * (law.kind === "normal" ? normalNumber(uniform) : 2 * uniform() - 1));
      if (law.kind === "zero") values.fill(0);
      found.set(`net.${i}.${k ? "bias" : "weight"}`, { shape, values, epsilon: 1e-6 });
    });
  }
  return found;
}

/* From two uniform ones (Box and Muller 1958). */
function normalNumber(uniform) {
  const size = Math.sqrt(-2 * Math.log(1 - uniform()));
  return size * Math.cos(2 * Math.PI * uniform());
}
