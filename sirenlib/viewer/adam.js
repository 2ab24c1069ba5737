/* needs: algebra random */
/* Trains a small network on a picture, in plain typed arrays of 32 bits. A worker gets
   these functions as text: they use nothing but each other, algebra.js and random.js. */

/* Half-widths of the uniform laws of a layer's first weights and biases: for sines the
   "official" scheme of initialization.py, for ReLU that of torch.nn.Linear. */
function firstBounds(relu, inputs, omega, isFirst) {
  const root = Math.sqrt(inputs);
  const weight = isFirst ? 1 / inputs : Math.sqrt(6) / root / omega;
  return [relu ? 1 / root : weight, 1 / root];
}

/* Each layer's matrix and then its bias; omega_0 is not multiplied in. The last, linear
   layer takes the omega_0 of the one before. */
function firstWeights({ widths, omegas, relu, seed }) {
  const draw = seededNumbers(seed);
  const numbers = [];
  omegas.forEach((omega, i) => {
    const [inputs, outputs] = [widths[i], widths[i + 1]];
    const [weight, bias] = firstBounds(relu, inputs, omega ?? omegas[i - 1], i === 0);
    for (let k = 0; k < outputs * inputs; k++) numbers.push((2 * draw() - 1) * weight);
    for (let k = 0; k < outputs; k++) numbers.push((2 * draw() - 1) * bias);
  });
  return Float32Array.from(numbers);
}

/* A network, Adam, and a batch that is always the same. `omegas` has for each layer the
   factor in front of its sine, and null where it is linear; a ReLU has the factor 1. */
class Trainer {
  constructor({ widths, omegas, relu, rate, weights, coords, values }) {
    Object.assign(this, { relu, rate, weights, coords, values });
    this.points = coords.length / widths[0];
    this.step = 0;
    this.gradient = new Float32Array(weights.length);
    this.mean = new Float32Array(weights.length);
    this.square = new Float32Array(weights.length);
    let start = 0;
    this.layers = omegas.map((omega, i) => {
      const layer = this.makeLayer(widths[i], widths[i + 1], omega, start);
      start += layer.W.length + layer.b.length;
      return layer;
    });
    this.prediction = this.layers[this.layers.length - 1].state;
    this.coordsError = null;  // room for it, where what the network reads is learned
  }

  /* Its weights and their gradient are windows on the arrays of all of them. */
  makeLayer(inputs, outputs, omega, start) {
    const end = start + inputs * outputs;
    const windows = (all) => [all.subarray(start, end), all.subarray(end, end + outputs)];
    const [W, b] = windows(this.weights);
    const [dW, db] = windows(this.gradient);
    const room = () => new Float32Array(this.points * outputs);
    return { inputs, outputs, omega, W, b, dW, db, turned: new Float32Array(W.length),
      state: room(), slope: room(), error: room() };
  }

  /* The prediction, its mean squared error and its gradient at the present weights. */
  measure() {
    this.forward();
    this.backward();
  }

  forward() {
    let state = this.coords;
    for (const layer of this.layers) {
      const { inputs, outputs, omega, W, b, slope } = layer;
      timesTransposed(state, W, layer.state, this.points, outputs, inputs);
      state = layer.state;
      if (omega === null) addBias(state, b);
      else this.bend(state, slope, b, omega);
    }
  }

  bend(state, slope, bias, omega) {
    if (this.relu) bendByRelu(state, slope, bias);
    else bendBySine(state, slope, bias, omega);
  }

  backward() {
    const { layers, points, coords } = this;
    const top = layers[layers.length - 1];
    this.loss = squaredError(top.state, this.values, top.error);
    for (let l = layers.length - 1; l >= 0; l--) {
      const { inputs, outputs, W, dW, db, turned, error } = layers[l];
      const below = layers[l - 1];
      transposedTimes(error, below ? below.state : coords, dW, outputs, inputs, points);
      sumRows(error, db);
      const next = below ? below.error : this.coordsError;
      if (!next) break;
      transposeInto(W, turned, outputs, inputs);
      timesTransposed(error, turned, next, points, inputs, outputs);
      if (below) multiplyBy(next, below.slope);
    }
  }

  /* A step of Adam along the gradient that was measured. */
  update() {
    this.step++;
    // Both means begin at zero; this makes up for it.
    const scale = 1 / (1 - 0.9 ** this.step);
    const squareScale = 1 / (1 - 0.999 ** this.step);
    const { weights, gradient, mean, square, rate } = this;
    for (let i = 0; i < weights.length; i++) {
      const slope = gradient[i];
      mean[i] += 0.1 * (slope - mean[i]);
      square[i] += 0.001 * (slope * slope - square[i]);
      weights[i] -= (rate * mean[i] * scale) /
        (Math.sqrt(square[i] * squareScale) + 1e-8);
    }
  }
}

/* The mean of the squares; its slope at each value goes into `error`. */
function squaredError(prediction, values, error) {
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    const off = prediction[i] - values[i];
    sum += off * off;
    error[i] = (2 * off) / values.length;
  }
  return sum / values.length;
}

function addBias(state, bias) {
  for (let i = 0, j = 0; i < state.length; i++) {
    state[i] += bias[j];
    j = j + 1 === bias.length ? 0 : j + 1;
  }
}

/* sin(omega z + omega b) in place, and its slope omega cos(omega z + omega b). Whole
   quarter turns are taken away and short polynomials (Cephes) do the rest: one pass for
   both, and a third of the time of Math.sin and Math.cos. */
function bendBySine(state, slope, bias, omega) {
  for (let i = 0, j = 0; i < state.length; i++) {
    const phase = omega * (state[i] + bias[j]);
    const turns = Math.floor(phase * 0.6366197723675814 + 0.5);
    const r = phase - turns * 1.5707963267948966;
    const q = r * r;
    const sine = r + r * q *
      (-1.6666654611e-1 + q * (8.3321608736e-3 - q * 1.9515295891e-4));
    const cosine = 1 - 0.5 * q + q * q * (4.166664568298827e-2 +
      q * (-1.388731625493765e-3 + q * 2.443315711809948e-5));
    const odd = turns & 1;
    const sign = turns & 2 ? -1 : 1;
    state[i] = sign * (odd ? cosine : sine);
    slope[i] = sign * omega * (odd ? -sine : cosine);
    j = j + 1 === bias.length ? 0 : j + 1;
  }
}

function bendByRelu(state, slope, bias) {
  for (let i = 0, j = 0; i < state.length; i++) {
    const phase = state[i] + bias[j];
    state[i] = phase > 0 ? phase : 0;
    slope[i] = phase > 0 ? 1 : 0;
    j = j + 1 === bias.length ? 0 : j + 1;
  }
}

function multiplyBy(state, factors) {
  for (let i = 0; i < state.length; i++) state[i] *= factors[i];
}

/* The sum of all rows. */
function sumRows(state, sums) {
  sums.fill(0);
  for (let i = 0, j = 0; i < state.length; i++) {
    sums[j] += state[i];
    j = j + 1 === sums.length ? 0 : j + 1;
  }
}

/* The points of a square grid from -1 to 1, row by row; the first number is the row. */
function squareGrid(side) {
  const coords = new Float32Array(2 * side * side);
  for (let i = 0; i < side * side; i++) {
    coords[2 * i] = (2 * Math.floor(i / side)) / (side - 1) - 1;
    coords[2 * i + 1] = (2 * (i % side)) / (side - 1) - 1;
  }
  return coords;
}

/* What the worker does. It is told once what to train, and then to run or to rest; it
   reports ten times a second. A report belongs to the weights that come with it. */
function trainingWorker(scope) {
  let trainer = null, running = false, timer = 0, seconds = 0, last = 0;
  const report = () => {
    const { step, loss, prediction, weights } = trainer;
    const psnr = 10 * Math.log10(4 / Math.max(loss, 1e-12));  // the values span 2
    scope.postMessage({ step, psnr, seconds, prediction, weights });
  };
  const work = () => {
    const start = performance.now();
    let spent = 0;
    while (trainer.step < last && spent < 0.1) {
      trainer.update();
      trainer.measure();
      spent = (performance.now() - start) / 1000;
    }
    seconds += spent;
    report();
    if (trainer.step < last) timer = setTimeout(work, 0);
  };
  scope.onmessage = ({ data: { task, run } }) => {
    if (task) {
      last = task.steps;
      trainer = new Trainer({ ...task, weights: firstWeights(task) });
      trainer.measure();
      report();
    }
    if (run === running) return;
    running = run;
    clearTimeout(timer);
    if (running) work();
  };
}

/* What the text of a worker begins with. */
const TRAINER_PARTS = [timesTransposed, transposedTimes, transposeInto, seededNumbers,
  firstBounds, firstWeights, squaredError, addBias, bendBySine, bendByRelu, multiplyBy,
  sumRows, Trainer];

/* The text of a program of its own, for a Worker. */
function workerText() {
  return programText([...TRAINER_PARTS, trainingWorker], "trainingWorker");
}

function programText(parts, main) {
  return `"use strict";\n${parts.map(String).join("\n")}\n${main}(self);`;
}

/* A worker from its text: it needs no file, and no server. */
function startWorker(text, hear, fail) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  const worker = new Worker(address);
  worker.onerror = fail;
  worker.onmessage = ({ data }) => {
    URL.revokeObjectURL(address);
    hear(data);
  };
  return worker;
}
