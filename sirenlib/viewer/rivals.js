/* needs: random adam */
/* Five networks that learn the same picture of 64 x 64 gray pixels: those of
   benchmarks/contenders.py, made small. They are alike in the loss, in Adam, and in that
   each step takes all pixels; a worker gets them as text, as those of adam.js. */

/* What each is: its layers, and what it reads in place of the coordinates. The numbers
   of parameters are about equal. The settings are the best after ten seconds on the cat
   of the race, of these: first omega_0 of N/4, N/3 and N/2, as in the benchmarks, and
   rates of 1e-3, 2e-3 and 4e-3; sigma 3.5, 5, 6, 7, 8 and 10, rates of 5e-3, 7e-3, 1e-2
   and 2e-2, 32, 64 and 99 frequencies; coarsest grids of 4 and 8, rates of 1e-2, 2e-2,
   3e-2, 4e-2 and 8e-2, 256, 512 and 1024 rows; for ReLU 5e-3, 1e-2 and 2e-2. */
const RIVALS = [
  { name: "sine", widths: [2, 64, 64, 1], omegas: [32, 30, null], rate: 2e-3 },
  { name: "FINER", widths: [2, 64, 64, 1], omegas: [32, 30, null], rate: 2e-3,
    finer: true },
  { name: "Fourier", widths: [198, 20, 20, 1], omegas: [1, 1, null], rate: 1e-2,
    relu: true, sigma: 8 },
  { name: "hash grid", widths: [14, 30, 30, 1], omegas: [1, 1, null], rate: 2e-2,
    relu: true, grid: { coarsest: 8, finest: 64, levels: 7, features: 2, rows: 256 } },
  { name: "ReLU", widths: [2, 64, 64, 1], omegas: [1, 1, null], rate: 1e-2, relu: true },
];

/* A network of that kind before its first step, on the points of `coords`. Weights and
   frequencies are drawn with the seed where they are not given. */
function makeRival(task) {
  const { widths, coords, seed, sigma, grid, finer } = task;
  const weights = task.weights ?? firstWeights(task);
  if (finer) return new FinerTrainer({ ...task, weights });
  if (grid) return new GridTrainer({ ...task, weights });
  if (sigma === undefined) return new Trainer({ ...task, weights });
  const frequencies = task.frequencies ?? firstFrequencies(widths[0] / 2, sigma, seed);
  return new Trainer({ ...task, weights, coords: fourierFeatures(coords, frequencies) });
}

/* Pairs of normal numbers with the standard deviation sigma (Box and Muller). */
function firstFrequencies(count, sigma, seed) {
  const draw = seededNumbers(seed + 1000);
  const frequencies = new Float32Array(2 * count);
  for (let i = 0; i < 2 * count; i += 2) {
    const length = sigma * Math.sqrt(-2 * Math.log(1 - draw()));
    const angle = 2 * Math.PI * draw();
    frequencies[i] = length * Math.cos(angle);
    frequencies[i + 1] = length * Math.sin(angle);
  }
  return frequencies;
}

/* Cosines and then sines of the frequencies, which are periods per picture. */
function fourierFeatures(coords, frequencies) {
  const [points, count] = [coords.length / 2, frequencies.length / 2];
  const features = new Float32Array(2 * points * count);
  for (let i = 0; i < points; i++) {
    for (let k = 0; k < count; k++) {
      const phase = Math.PI * (coords[2 * i] * frequencies[2 * k] +
        coords[2 * i + 1] * frequencies[2 * k + 1]);
      features[2 * i * count + k] = Math.cos(phase);
      features[(2 * i + 1) * count + k] = Math.sin(phase);
    }
  }
  return features;
}

/* sin(omega (|z| + 1) z) with z the linear map. No gradient flows through |z| + 1, as
   in its authors' code. */
class FinerTrainer extends Trainer {
  bend(state, slope, bias, omega) {
    for (let i = 0, j = 0; i < state.length; i++) {
      const z = state[i] + bias[j];
      slope[i] = Math.abs(z) + 1;
      state[i] = slope[i] * z;
      j = j + 1 === bias.length ? 0 : j + 1;
    }
    this.factor ??= new Float32Array(state.length);
    this.none ??= new Float32Array(bias.length);
    const { factor, none } = this;
    factor.set(slope);
    bendBySine(state, slope, none, omega);
    multiplyBy(slope, factor);
  }
}

/* Learned tables on grids of growing resolution; the network reads what lies between
   their vertices. The tables stand behind the weights of the network. */
class GridTrainer extends Trainer {
  constructor(task) {
    const { coords, grid, weights, widths, seed } = task;
    const { rows, shares } = placesInTables(coords, grid);
    const tables = tablesOf(grid);
    const size = grid.features * (tables.at(-1).first + tables.at(-1).rows);
    const own = widths.slice(1).reduce((sum, out, i) => sum + out * (widths[i] + 1), 0);
    let all = weights;
    if (weights.length === own) {
      const draw = seededNumbers(seed + 2000);
      all = new Float32Array(own + size);
      all.set(weights);
      for (let i = own; i < all.length; i++) all[i] = 1e-4 * (2 * draw() - 1);
    }
    const points = coords.length / 2;
    super({ ...task, weights: all, coords: new Float32Array(points * widths[0]) });
    Object.assign(this, { rows, shares, features: grid.features,
      table: all.subarray(own), tableSlope: this.gradient.subarray(own),
      coordsError: new Float32Array(points * widths[0]) });
  }

  /* What the network reads: of each level the four vertices around the point. */
  forward() {
    const { coords, table, rows, shares, features } = this;
    for (let i = 0, at = 0; i < rows.length; i += 4) {
      for (let f = 0; f < features; f++, at++) {
        let sum = 0;
        for (let k = i; k < i + 4; k++) sum += shares[k] * table[rows[k] * features + f];
        coords[at] = sum;
      }
    }
    super.forward();
  }

  backward() {
    super.backward();
    const { coordsError, tableSlope, rows, shares, features } = this;
    tableSlope.fill(0);
    for (let i = 0, at = 0; i < rows.length; i += 4) {
      for (let f = 0; f < features; f++, at++) {
        for (let k = i; k < i + 4; k++) {
          tableSlope[rows[k] * features + f] += shares[k] * coordsError[at];
        }
      }
    }
  }
}

/* Of each level the resolution r, the rows of its table, and the first of them. A grid
   of (r + 1)^2 vertices that fits has a row for each. */
function tablesOf({ coarsest, finest, levels, rows: most }) {
  const growth = (finest / coarsest) ** (1 / (levels - 1));
  let first = 0;
  return Array.from({ length: levels }, (_, level) => {
    const r = Math.round(coarsest * growth ** level);
    const rows = Math.min((r + 1) ** 2, most);
    first += rows;
    return { r, rows, first: first - rows, shared: (r + 1) ** 2 > most };
  });
}

/* For each point and level four rows of the tables, and the share of each. They
   never change, since the points do not. The hash is that of the paper. */
function placesInTables(coords, grid) {
  const tables = tablesOf(grid);
  const points = coords.length / 2;
  const rows = new Int32Array(4 * points * tables.length);
  const shares = new Float32Array(rows.length);
  let at = 0;
  for (let i = 0; i < points; i++) {
    for (const { r, first, shared } of tables) {
      const [y, x] = [0, 1].map((axis) => ((coords[2 * i + axis] + 1) / 2) * r);
      // The last vertex belongs to the last cell.
      const [row, column] = [y, x].map((z) => Math.min(r - 1, Math.floor(z)));
      for (const [down, right] of [[0, 0], [0, 1], [1, 0], [1, 1]]) {
        const [v, u] = [row + down, column + right];
        const hashed = (v ^ Math.imul(u, 2654435761)) & (grid.rows - 1);
        rows[at] = first + (shared ? hashed : v * (r + 1) + u);
        const share = right ? x - column : 1 - x + column;
        shares[at++] = share * (down ? y - row : 1 - y + row);
      }
    }
  }
  return { rows, shares };
}

/* What a rival's worker does: it computes when it is told to, for so many seconds and at
   least one step, and reports. Its clock stands still while it waits for its turn. */
function rivalWorker(scope) {
  let trainer = null, seconds = 0;
  scope.onmessage = ({ data: { task, slice } }) => {
    if (task) {
      trainer = makeRival(task);
      trainer.measure();
    } else {
      const start = performance.now();
      let spent = 0;
      while (spent < slice) {
        trainer.update();
        trainer.measure();
        spent = (performance.now() - start) / 1000;
      }
      seconds += spent;
    }
    const { step, loss, prediction, weights } = trainer;
    const psnr = 10 * Math.log10(4 / Math.max(loss, 1e-12));  // the values span 2
    scope.postMessage({ step, psnr, seconds, prediction: prediction.slice(),
      parameters: weights.length });
  };
}

function rivalText() {
  return programText([...TRAINER_PARTS, makeRival, firstFrequencies, fourierFeatures,
    FinerTrainer, GridTrainer, tablesOf, placesInTables, rivalWorker], "rivalWorker");
}
