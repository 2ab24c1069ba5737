/* needs: */
/* Arrays from a file that was dropped: .pt of torch.save, .safetensors, .npz. A pickle is
   never executed: of its steps those are followed that put a dict of tensors together,
   and at any other one the reading stops. */

const MOST_BYTES = 1e9;
const KINDS_OF_TENSORS = { F64: ["f", 8], F32: ["f", 4], F16: ["f", 2], BF16: ["b", 2],
  DoubleStorage: ["f", 8], FloatStorage: ["f", 4], HalfStorage: ["f", 2],
  BFloat16Storage: ["b", 2] };
const ROUNDING = { f8: 1e-6, f4: 1e-6, f2: 2 ** -9, b2: 2 ** -6 };

/* A Map from names to {shape, values, epsilon}, in the file's order; arrays of anything
   but floating-point numbers are left out. */
async function readArrays(name, buffer) {
  if (/\.safetensors$/i.test(name)) return readSafetensors(buffer);
  const entries = zipEntries(buffer);
  return /\.npz$/i.test(name) ? readNpz(buffer, entries) : readTorch(buffer, entries);
}

function readSafetensors(buffer) {
  const view = new DataView(buffer);
  if (buffer.byteLength < 8) throw new Error("it is too short");
  const length = Number(view.getBigUint64(0, true));
  if (length > buffer.byteLength - 8) throw new Error("its header is longer than it");
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  const found = new Map();
  for (const [name, { dtype, shape, data_offsets: edges }] of Object.entries(header)) {
    if (name === "__metadata__" || !KINDS_OF_TENSORS[dtype]) continue;
    const kind = KINDS_OF_TENSORS[dtype];
    const whole = new DataView(buffer, 8 + length + edges[0], edges[1] - edges[0]);
    const tensor = { kind, little: true, offset: 0, shape, strides: rowStrides(shape) };
    found.set(name, arrayOf(whole, tensor));
  }
  return found;
}

/* Strides, in numbers, of an array whose rows follow each other. */
function rowStrides(shape) {
  const strides = shape.map(() => 1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1] * shape[i + 1];
  return strides;
}

/* The numbers of an array in the order of its rows. */
function arrayOf(view, { kind: [form, size], little, offset, shape, strides }) {
  const count = shape.reduce((product, length) => product * length, 1);
  const values = new Float64Array(count), place = shape.map(() => 0);
  for (let i = 0; i < count; i++) {
    const at = place.reduce((sum, index, k) => sum + index * strides[k], offset);
    values[i] = numberAt(view, size * at, form, size, little);
    for (let k = shape.length - 1; k >= 0 && ++place[k] === shape[k]; k--) place[k] = 0;
  }
  return { shape, values, epsilon: ROUNDING[form + size] };
}

function numberAt(view, at, form, size, little) {
  if (size === 8) return view.getFloat64(at, little);
  if (size === 4) return view.getFloat32(at, little);
  const bits = view.getUint16(at, little), sign = bits >> 15 ? -1 : 1;
  const [exponentBits, most] = form === "b" ? [8, 255] : [5, 31];
  const fractionBits = 15 - exponentBits, bias = most >> 1;
  const exponent = (bits >> fractionBits) & most;
  const fraction = (bits & (2 ** fractionBits - 1)) / 2 ** fractionBits;
  if (exponent === most) return fraction ? NaN : sign * Infinity;
  if (exponent === 0) return sign * fraction * 2 ** (1 - bias);
  return sign * (1 + fraction) * 2 ** (exponent - bias);
}

/* The central directory of a zip file: a Map from names to where and how they are. */
function zipEntries(buffer) {
  const view = new DataView(buffer), length = buffer.byteLength;
  let end = length - 22;
  while (end >= 0 && view.getUint32(end, true) !== 0x06054b50) end--;
  if (end < 0 || end < length - 65558) throw new Error("it is no zip file");
  const count = view.getUint16(end + 10, true), entries = new Map();
  let at = view.getUint32(end + 16, true);
  for (let i = 0; i < count; i++) {
    if (view.getUint32(at, true) !== 0x02014b50) throw new Error("its index is damaged");
    const [packed, size] = [20, 24].map((step) => view.getUint32(at + step, true));
    const [name, extra, comment] = [28, 30, 32].map((k) => view.getUint16(at + k, true));
    const text = new TextDecoder().decode(new Uint8Array(buffer, at + 46, name));
    entries.set(text, { method: view.getUint16(at + 10, true), packed, size,
      start: view.getUint32(at + 42, true) });
    at += 46 + name + extra + comment;
  }
  return entries;
}

async function unzipped(buffer, { method, packed, size, start }) {
  if (size > MOST_BYTES) throw new Error("an entry is larger than a gigabyte");
  const view = new DataView(buffer);
  const begin = start + 30 + view.getUint16(start + 26, true) +
    view.getUint16(start + 28, true);
  const content = buffer.slice(begin, begin + packed);
  if (method === 0) return content;
  if (method !== 8) throw new Error("it is packed in a way that is not known here");
  const stream = new Blob([content]).stream()
    .pipeThrough(new DecompressionStream("deflate-raw"));
  return new Response(stream).arrayBuffer();
}

async function readNpz(buffer, entries) {
  const found = new Map();
  for (const [name, entry] of entries) {
    const content = await unzipped(buffer, entry), view = new DataView(content);
    if (view.getUint32(0) !== 0x934e554d) throw new Error(`${name} is no array`);
    const wide = view.getUint8(6) > 1, start = wide ? 12 : 10;
    const length = wide ? view.getUint32(8, true) : view.getUint16(8, true);
    const header = new TextDecoder().decode(new Uint8Array(content, start, length));
    const [, order, form, size] = /'descr': *'([<>|=])(\w)(\d*)'/.exec(header) ?? [];
    if (form === "O") throw new Error(`${name} holds objects, not numbers`);
    if (form !== "f" || !ROUNDING[form + size]) continue;
    const shape = /'shape': *\(([^)]*)\)/.exec(header)[1].split(",")
      .filter((part) => part.trim()).map(Number);
    const turned = /'fortran_order': *True/.test(header);
    const strides = turned ? rowStrides([...shape].reverse()).reverse()
      : rowStrides(shape);
    const rest = new DataView(content, start + length);
    found.set(name.replace(/\.npy$/, ""), arrayOf(rest, { kind: [form, Number(size)],
      little: order !== ">", offset: 0, shape, strides }));
  }
  return found;
}

async function readTorch(buffer, entries) {
  const names = [...entries.keys()];
  const pickle = names.find((name) => name.endsWith("/data.pkl"));
  if (!pickle) throw new Error("there is no data.pkl in it");
  const folder = pickle.slice(0, -"data.pkl".length);
  const order = entries.get(`${folder}byteorder`);
  const little = !order || new TextDecoder()
    .decode(await unzipped(buffer, order)).trim() !== "big";
  const content = followPickle(await unzipped(buffer, entries.get(pickle)));
  const found = new Map(), storages = new Map();
  for (const [name, { kind, key, ...tensor }] of tensorsIn(content)) {
    if (!storages.has(key)) {
      const entry = entries.get(`${folder}data/${key}`);
      if (!entry) throw new Error(`the numbers of ${name} are missing`);
      storages.set(key, new DataView(await unzipped(buffer, entry)));
    }
    found.set(name, arrayOf(storages.get(key), { kind, little, ...tensor }));
  }
  return found;
}

/* The tensors of nested dicts, by names that are joined with dots. */
function tensorsIn(content, prefix = "") {
  if (!(content instanceof Map)) {
    throw new Error("it holds no dict: save model.state_dict()");
  }
  return [...content].flatMap(([name, value]) => {
    if (value instanceof Map) return tensorsIn(value, `${prefix}${name}.`);
    return value?.shape && value.kind ? [[`${prefix}${name}`, value]] : [];
  });
}

/* What a pickle puts together: dicts as Maps, tensors as descriptions. Names of code are
   kept as names; only those of `rebuiltFrom` are known. */
function followPickle(buffer) {
  const view = new DataView(buffer), text = new TextDecoder();
  const stack = [], marks = [], memo = [];
  let at = 0;
  const byte = () => view.getUint8(at++);
  const whole = (size) => {
    at += size;
    return size === 2 ? view.getUint16(at - 2, true) : view.getUint32(at - 4, true);
  };
  const letters = (count) => {
    at += count;
    return text.decode(new Uint8Array(buffer, at - count, count));
  };
  const line = () => {
    let count = 0;
    while (view.getUint8(at + count) !== 10) count++;
    const found = letters(count);
    at++;
    return found;
  };
  const sinceMark = () => stack.splice(marks.pop());
  const last = (count) => stack.splice(stack.length - count);
  const put = (map, pairs) => {
    for (let i = 0; i < pairs.length; i += 2) map.set(pairs[i], pairs[i + 1]);
  };
  const steps = {
    0x80: () => byte(),  // which protocol
    0x95: () => { at += 8; },  // a frame
    0x28: () => marks.push(stack.length),
    0x7d: () => stack.push(new Map()),
    0x5d: () => stack.push([]),
    0x29: () => stack.push([]),
    0x4e: () => stack.push(null),
    0x88: () => stack.push(true),
    0x89: () => stack.push(false),
    0x4b: () => stack.push(byte()),
    0x4d: () => stack.push(whole(2)),
    0x4a: () => stack.push(whole(4) | 0),
    0x8a: () => stack.push(longNumber(new Uint8Array(buffer, at + 1, byte()),
      (count) => { at += count; })),
    0x47: () => {
      stack.push(view.getFloat64(at));
      at += 8;
    },
    0x58: () => stack.push(letters(whole(4))),
    0x8c: () => stack.push(letters(byte())),
    0x71: () => { memo[byte()] = stack.at(-1); },
    0x72: () => { memo[whole(4)] = stack.at(-1); },
    0x94: () => memo.push(stack.at(-1)),
    0x68: () => stack.push(memo[byte()]),
    0x6a: () => stack.push(memo[whole(4)]),
    0x63: () => stack.push({ code: `${line()}.${line()}` }),
    0x93: () => stack.push({ code: last(2).join(".") }),
    0x74: () => stack.push(sinceMark()),
    0x85: () => stack.push(last(1)),
    0x86: () => stack.push(last(2)),
    0x87: () => stack.push(last(3)),
    0x51: () => stack.push(storageOf(stack.pop())),
    0x52: () => stack.push(rebuiltFrom(...last(2))),
    0x62: () => stack.pop(),  // what hangs on an OrderedDict
    0x73: () => put(stack.at(-3), last(2)),
    0x75: () => {
      const pairs = sinceMark();
      put(stack.at(-1), pairs);
    },
    0x61: () => {
      const item = stack.pop();
      stack.at(-1).push(item);
    },
    0x65: () => {
      const items = sinceMark();
      stack.at(-1).push(...items);
    },
  };
  for (let step = byte(); step !== 0x2e; step = byte()) {
    if (!steps[step]) throw new Error("it holds more than a dict of tensors");
    steps[step]();
  }
  return stack.pop();
}

/* Bytes of a whole number, the smallest first, the sign in the last one. */
function longNumber(digits, move) {
  move(digits.length);
  let value = 0;
  digits.forEach((digit, i) => { value += digit * 256 ** i; });
  return digits.at(-1) > 127 ? value - 256 ** digits.length : value;
}

/* ("storage", its type, its key, its device, its size): where numbers lie. */
function storageOf([word, { code } = {}, key]) {
  if (word !== "storage" || !code?.startsWith("torch.")) {
    throw new Error("it holds more than a dict of tensors");
  }
  return { kind: KINDS_OF_TENSORS[code.slice("torch.".length)], key };
}

function rebuiltFrom({ code }, given) {
  if (code === "collections.OrderedDict") return new Map(given[0] ?? []);
  if (code === "torch._utils._rebuild_parameter") return given[0];
  if (code === "torch.Size" || code === "torch.device") return null;
  if (code === "torch._utils._rebuild_tensor_v2") {
    const [storage, offset, shape, strides] = given;
    return { ...storage, offset, shape, strides };
  }
  throw new Error(`it asks to run ${code}, and nothing is run here: save ` +
    "model.state_dict()");
}
