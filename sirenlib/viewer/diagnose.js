/* needs: laws */
/* Which start a network's numbers were drawn from: what sirenlib.diagnosis does, with its
   table of starts and its limits. */

const BIAS_NAMES = { weight: "bias", kernel: "bias", W: "b", w: "b" };
const LATE_NAMES = /last|final|out|head/i, EARLY_NAMES = /first|^pe\.|embed/i;

/* The maps of a network, each {name, tiles, inputs, outputs, weights, biases, epsilon}:
   weights has outputs rows of inputs, tile after tile; biases may be null. */
function linearMaps(arrays) {
  const matrices = [...arrays.keys()].filter((name) => {
    const { length } = arrays.get(name).shape;
    const tiled = length === 3 && Object.values(BIAS_NAMES).includes(lastName(name));
    return (length === 2 || length === 3) && !tiled;
  });
  const named = matrices.filter((name) => lastName(name) in BIAS_NAMES);
  const names = named.length ? named : matrices;
  for (const order of ordersOf(names)) {
    for (const transposed of [false, true]) {
      const maps = order.map((name) => mapShape(arrays, name, transposed));
      const chained = maps.every((map, i) => !i || map.inputs === maps[i - 1].outputs);
      const biases = biasesOf(arrays, maps);
      if (maps.length < 2 || !chained || !biases) continue;
      return maps.map((map, i) => filledMap(arrays, map, biases[i]));
    }
  }
  throw new Error(`the ${names.length} matrices make no chain of linear maps, in which ` +
    "each takes what the one before gives: give the state dict of one plain network");
}

function lastName(name) {
  return name.slice(name.lastIndexOf(".") + 1);
}

function ordersOf(names) {
  const natural = [...names].sort(naturally);
  const late = (name) => LATE_NAMES.test(name) - EARLY_NAMES.test(name);
  return [names, natural, [...natural].sort((a, b) => late(a) - late(b))];
}

/* Numbers in names by their size: layer 10 comes after layer 9. */
function naturally(a, b) {
  const [one, other] = [a, b].map((name) => name.split(/(\d+)/));
  for (let i = 0; i < Math.min(one.length, other.length); i++) {
    const apart = i % 2 ? one[i] - other[i]
      : (one[i] > other[i]) - (one[i] < other[i]);
    if (apart) return apart;
  }
  return one.length - other.length;
}

/* The matrices of a quilt lie the other way round. */
function mapShape(arrays, name, transposed) {
  const { shape } = arrays.get(name), [rows, columns] = shape.slice(-2);
  const turned = transposed !== (shape.length === 3);
  const [outputs, inputs] = turned ? [columns, rows] : [rows, columns];
  return { name, turned, inputs, outputs, tiles: shape.length === 3 ? shape[0] : 1 };
}

/* The names of the biases, null where there is none; null where a length is wrong. */
function biasesOf(arrays, maps) {
  const all = [...arrays.keys()], found = [];
  for (const { name, outputs } of maps) {
    const last = lastName(name);
    let bias = name.slice(0, -last.length) + BIAS_NAMES[last];
    if (!(last in BIAS_NAMES)) {
      bias = all[all.indexOf(name) + 1];
      if (arrays.get(bias)?.shape.length !== 1) bias = null;
    }
    if (!arrays.has(bias)) found.push(null);
    else if (arrays.get(bias).shape.at(-1) === outputs) found.push(bias);
    else return null;
  }
  return found;
}

function filledMap(arrays, map, bias) {
  const { values, epsilon } = arrays.get(map.name);
  const { turned, inputs, outputs, tiles } = map;
  let weights = values;
  if (turned) {
    weights = new Float64Array(values.length);
    for (let i = 0; i < values.length; i++) {
      const [tile, rest] = [Math.floor(i / (inputs * outputs)), i % (inputs * outputs)];
      const [row, column] = [Math.floor(rest / outputs), rest % outputs];
      weights[(tile * outputs + column) * inputs + row] = values[i];
    }
  }
  const biases = bias === null ? null : arrays.get(bias).values;
  if (![weights, biases ?? []].every((numbers) => numbers.every(Number.isFinite))) {
    throw new Error(`${map.name} or its bias holds NaN or infinite numbers`);
  }
  return { ...map, tiles, weights, biases, epsilon };
}

/* What an array looks like: as ArrayLaw in sirenlib.diagnosis. */
function lawOf(values, limits) {
  const numbers = Float64Array.from(values ?? []).sort(), count = numbers.length;
  if (!numbers.some((number) => number !== 0)) {
    return { kind: "zero", count, largest: 0, deviation: 0, distance: 0 };
  }
  const largest = Math.max(-numbers[0], numbers[count - 1]);
  const deviation = Math.sqrt(meanSquare(numbers));
  if (count < limits.few) return { kind: "few", count, largest, deviation, distance: 0 };
  const others = -numbers[0] === largest ? numbers.subarray(1)
    : numbers.subarray(0, count - 1);
  const uniform = lawDistance(others, (x) => (1 + x / largest) / 2, limits);
  const fitting = uniform <= 1 ? "uniform"
    : lawDistance(numbers, (x) => normalBelow(x / deviation), limits) <= 1 ? "normal"
      : "neither";
  return { kind: fitting, count, largest, deviation, distance: uniform };
}

function meanSquare(numbers) {
  let sum = 0;
  for (const number of numbers) sum += number * number;
  return sum / numbers.length;
}

/* Kolmogorov-Smirnov distance, 1 where it is at its limit. */
function lawDistance(numbers, below, { ks }) {
  const n = numbers.length, root = Math.sqrt(n);
  let distance = 0;
  for (let i = 0; i < n; i++) {
    const share = below(numbers[i]);
    distance = Math.max(distance, (i + 1) / n - share, share - i / n);
  }
  return distance * (root + 0.12 + 0.11 / root) / ks;
}

/* The distribution function of the standard normal law: its series near 0, its continued
   fraction beyond. */
function normalBelow(x) {
  const size = Math.abs(x), density = Math.exp(-size * size / 2) / Math.sqrt(2 * Math.PI);
  let half = 0;  // from 0 to size
  if (size < 4) {
    for (let term = size, k = 1; term > 1e-17; k += 2, term *= size * size / k) {
      half += term;
    }
    half *= density;
  } else {
    let fraction = 0;
    for (let k = 40; k; k--) fraction = k / (size + fraction);
    half = 0.5 - density / (size + fraction);
  }
  return 0.5 + (x < 0 ? -half : half);
}

/* What was drawn for each array: its layer, its part, the law it should have, its size
   up to a scale, and what it looks like. */
function startArrays(start, maps, laws) {
  return maps.flatMap((map, i) => roleOf(start, i, maps.length).map((law, k) =>
    ({ layer: i + 1, part: ["weights", "biases"][k], law, unit: lawUnit(law, map),
      found: laws[i][k], map })));
}

function roleOf(start, i, depth) {
  return i === 0 ? start.first : i === depth - 1 ? start.last : start.hidden;
}

function lawUnit(law, { inputs, outputs }) {
  return law.factor * (inputs + (law.size === "sum" ? outputs : 0)) ** law.power;
}

function openScales(arrays) {
  const scales = { "": 1 };
  for (const name of ["first", "hidden"]) {
    const having = arrays.filter(({ law, found }) => law.scale === name && found.count);
    if (!having.length) continue;
    const total = having.reduce((sum, { found }) => sum + found.count, 0);
    const largest = Math.max(...having.map(({ found, unit }) => found.largest / unit));
    scales[name] = largest * (1 + 1 / total);
  }
  return scales;
}

/* The arrays that the start would not have drawn so. */
function startMisses(arrays, scales, limits, brief) {
  return arrays.flatMap(({ layer, part, law, unit, found, map }) => {
    const bound = unit * (scales[law.scale] ?? 0);
    let [good, wanted] = [false, bound];
    if (law.kind === "zero") {
      wanted = 0;
      good = found.largest <= (brief ? 2 * limits.brief / Math.sqrt(map.inputs) : 0);
    } else if (found.kind !== "zero" && law.kind === "normal") {
      const apart = Math.abs(Math.log(found.deviation / bound));
      good = apart <= limits.deviations / Math.sqrt(2 * found.count) &&
        found.kind !== "neither";
    } else if (found.kind !== "zero") {
      const over = brief ? limits.brief : map.epsilon;
      const known = ["uniform", "few"].includes(found.kind);
      const low = found.count * Math.log(Math.min(1, found.largest / bound));
      good = known && found.largest <= bound * (1 + over) && low >= Math.log(limits.tail);
      if (!known) wanted = null;
    }
    const size = law.kind === "normal" ? found.deviation : found.largest;
    return good ? [] : [{ layer, part, found: size, wanted }];
  });
}

function startLikelihood(start, arrays, scales) {
  return arrays.reduce((sum, { law, unit, found }) => {
    const bound = unit * scales[law.scale];
    if (law.kind === "uniform") return sum - found.count * Math.log(2 * bound);
    if (law.kind === "zero") return sum;
    const spread = (found.deviation / bound) ** 2 / 2;
    return sum - found.count * (Math.log(bound * Math.sqrt(2 * Math.PI)) + spread);
  }, Math.log(start.prior));
}

function verdictOf(maps, laws, { starts, limits, texts }) {
  const tried = starts.map((start) => {
    const arrays = startArrays(start, maps, laws), scales = openScales(arrays);
    return { start, arrays, scales, misses: startMisses(arrays, scales, limits, false),
      brief: startMisses(arrays, scales, limits, true) };
  });
  const possible = tried.filter(({ misses }) => !misses.length).map((each) =>
    ({ ...each, likelihood: startLikelihood(each.start, each.arrays, each.scales) }));
  if (possible.length) return namedStart(possible, limits);
  const blurred = blurredArrays(laws);
  const trained = blurred.length || tried.some(({ brief }) => !brief.length);
  const nearest = tried.reduce((best, each) =>
    (each.brief.length - best.brief.length || each.misses.length - best.misses.length) < 0
      ? each : best);
  return { scheme: trained ? "trained" : "unknown", names: [], also: "",
    start: starts[0], told: [null, null], usual: [30, guessedOmega(maps, laws)],
    scales: {}, evidence: evidenceOf(blurred, nearest),
    advice: trained ? texts.trained : texts.unknown };
}

function namedStart(possible, { tie }) {
  const best = possible.reduce((a, b) => b.likelihood > a.likelihood ? b : a);
  const near = possible.filter((each) => each.likelihood >= best.likelihood - tie);
  const { start, scales } = best;
  const names = [...new Set([start, ...near.map((each) => each.start)]
    .map(({ name }) => name))];
  const told = ["first", "hidden"].map((role) =>
    role in scales ? 1 / scales[role] : null);
  return { scheme: names.join(" or "), names, also: start.also, start, told,
    usual: start.omegas, scales, advice: start.advice,
    evidence: [names.length > 1
      ? "At these sizes the starts have the same laws: nobody can tell."
      : "Every array has the law of this start."] };
}

/* The arrays that no code draws. Training adds many small steps to a uniform law, and
   their sum is soon about normal: normal weights beside uniform ones are no start. */
function blurredArrays(laws) {
  const inner = new Set(laws.slice(0, -1).map(([{ kind }]) => kind));
  const late = inner.has("normal") && inner.has("uniform");
  return laws.flatMap((both, i) => both.flatMap(({ kind, distance }, k) =>
    kind === "neither" || (late && kind === "normal")
      ? [{ distance, layer: i + 1, part: ["weights", "biases"][k] }] : []));
}

function evidenceOf(blurred, { start, misses }) {
  const found = [];
  if (blurred.length) {
    const far = blurred.reduce((a, b) => b.distance > a.distance ? b : a);
    found.push(`No start has such ${far.part} as layer ${far.layer}: they are ` +
      `${far.distance.toFixed(1)} times as far from a uniform law as a fresh draw gets.`);
  }
  const more = misses.length > 3 ? `; and ${misses.length - 3} more` : "";
  const listed = misses.slice(0, 3).map(missWords).join("; ");
  return [...found, `Nearest is ${start.name}, but ${listed}${more}.`];
}

function missWords({ layer, part, found, wanted }) {
  const place = `the ${part} of layer ${layer}`;
  return wanted === null ? `${place} have another law, up to ${inDigits(found, 6)}`
    : `${place} reach ${inDigits(found, 6)} where it has ${inDigits(wanted, 6)}`;
}

/* As Python's formats ".4g" and ".6g" write a number. */
function inDigits(number, digits = 4) {
  return String(Number(number.toPrecision(digits)));
}

/* 1 or 30, whichever the spread of the hidden weights is nearer to. */
function guessedOmega(maps, laws) {
  const at = laws.findIndex(([{ deviation }], i) => i && deviation);
  const spread = at < 0 ? 1 / 30 : laws[at][0].deviation * Math.sqrt(maps[at].inputs / 2);
  return spread < 1 / Math.sqrt(30) ? 30 : 1;
}

/* What the network multiplies a linear map by; the last one has no sine. */
function layerFactor(i, depth, omegas) {
  return i === depth - 1 ? 1 : omegas[i ? 1 : 0];
}

/* Where the network is asked. */
function askedPoints(count, dimensions) {
  return Array.from({ length: count }, (_, i) =>
    Float64Array.from({ length: dimensions }, (_, j) =>
      2 * ((i + 1) * Math.sqrt(4 * j + 3) % 1) - 1));
}

/* Mean squares of phases, sines and gradients of each layer, in a wide network of
   these half-widths: theory.network_law. */
function wideLaw(coords, layers) {
  const pairs = (call) => coords.map((_, i) => coords.map((_, j) => call(i, j)));
  const dot = (x, y) => x.reduce((sum, value, k) => sum + value * y[k], 0);
  const average = (call) =>
    coords.reduce((sum, _, i) => sum + call(i), 0) / coords.length;
  let sines = null;
  const found = [], chis = [];
  for (const { inputs, weight, bias } of layers) {
    const s = uniformBiasFactor(bias), gain = inputs * weight ** 2 / 3, before = sines;
    let covariance;
    if (!before) {
      covariance = pairs((i, j) => weight ** 2 / 3 * dot(coords[i], coords[j]));
      const factor = (i, j, sign) => coords[i].reduce((product, value, k) =>
        product * sineOverItself(weight * (value + sign * coords[j][k])), 1);
      sines = pairs((i, j) => (factor(i, j, -1) - s * factor(i, j, 1)) / 2);
    } else {
      covariance = before.map((row) => row.map((value) => gain * value));
      chis.push(coords.map((_, i) => gain * (1 - before[i][i])));
      sines = pairs((i, j) => {
        const c = covariance[i][j], mean = (covariance[i][i] + covariance[j][j]) / 2;
        return (Math.exp(c - mean) - s * Math.exp(-c - mean)) / 2;
      });
    }
    const present = sines;
    found.push([average((i) => covariance[i][i]) + bias ** 2 / 3,
      average((i) => present[i][i])]);
  }
  return found.map((pair, layer) => [...pair, average((i) =>
    chis.slice(layer).reduce((product, chi) => product * chi[i], 1))]);
}

/* The same, measured: of a quilt, in its first tile. */
function measuredLaw(maps, coords, omegas) {
  let values = coords;
  const phases = maps.map(({ inputs, outputs, weights, biases }, i) => {
    const factor = layerFactor(i, maps.length, omegas);
    const z = values.map((x) => Float64Array.from({ length: outputs }, (_, row) => {
      let sum = biases ? biases[row] : 0;
      for (let k = 0; k < inputs; k++) sum += weights[row * inputs + k] * x[k];
      return factor * sum;
    }));
    values = z.map((row) => row.map(Math.sin));
    return z;
  });
  const { outputs } = maps.at(-1);
  const unit = new Float64Array(outputs).fill(1 / Math.sqrt(outputs));
  let gradients = coords.map(() => unit);
  const sizes = [gradients];
  for (let i = maps.length - 2; i >= 0; i--) {
    const { inputs, weights } = maps[i + 1], above = gradients;
    const factor = layerFactor(i + 1, maps.length, omegas);
    gradients = above.map((g, point) => {
      const below = new Float64Array(inputs);
      g.forEach((value, row) => {
        for (let k = 0; k < inputs; k++) below[k] += value * weights[row * inputs + k];
      });
      return below.map((value, k) => factor * value * Math.cos(phases[i][point][k]));
    });
    sizes.unshift(gradients);
  }
  const average = (rows, call) =>
    rows.reduce((sum, row) => sum + call(row), 0) / rows.length;
  return phases.map((z, i) => [average(z, meanSquare),
    average(z, (row) => meanSquare(row.map(Math.sin))),
    average(sizes[i], (row) => row.length * meanSquare(row))]);
}

/* Everything that is said about the arrays of a network. `given` has the omega_0 of the
   first and of the hidden layers, or null; `table` what sirenlib.viewer.which_siren
   sends: starts, limits and texts. */
function diagnoseArrays(arrays, table, given = [null, null]) {
  const maps = linearMaps(arrays), { limits } = table;
  const laws = maps.map(({ weights, biases }) =>
    [lawOf(weights, limits), lawOf(biases, limits)]);
  const { start, told, usual, scales, ...verdict } = verdictOf(maps, laws, table);
  const assumed = given.map((omega, i) => omega ?? told[i] ?? usual[i]);
  const open = { "": 1, first: 1 / assumed[0], hidden: 1 / assumed[1], ...scales };
  const bounds = maps.map((map, i) => {
    const factor = layerFactor(i, maps.length, assumed);
    const [weight, bias] = roleOf(start, i, maps.length).map((law) => law.kind === "zero"
      ? 0 : factor * lawUnit(law, map) * open[law.scale] *
        (law.kind === "normal" ? Math.sqrt(3) : 1));
    return { inputs: map.inputs, weight, bias };
  });
  const coords = askedPoints(limits.points, maps[0].inputs);
  const wide = wideLaw(coords, bounds), measured = measuredLaw(maps, coords, assumed);
  const layers = maps.map(({ name, inputs, outputs }, i) => {
    const [phases, sines, gradients] = wide[i].map((value, k) =>
      [Math.sqrt(value), Math.sqrt(measured[i][k])]);
    const [weights, biases] = laws[i], last = i === maps.length - 1;
    return { name, inputs, outputs, weights, biases, phases, sines: last ? null : sines,
      gradients };
  });
  return { ...verdict, told, assumed, layers };
}
