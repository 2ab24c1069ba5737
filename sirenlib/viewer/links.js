/* needs: frame */
/* A picture that is a link: reads and writes the text of links.py, which says what each
   byte is. Nothing in a link is trusted: its size is known before a number is read. */

const LINK_MARK = "siren-";
const LINK_VERSION = 1;
const LONGEST_LINK = 8000;
const WIDEST_LINK = 255;
const [LINK_HEADER, LINK_STEP, LINK_CHECKSUM] = [42, 4, 4];  // bytes
const LINK_LIMIT = 1e30;
const NOT_OURS = "The link makes no sense: sirenlib did not write it.";

/* How many numbers each matrix and each bias has. */
function linkCounts(widths) {
  return widths.slice(1).flatMap((outputs, i) => [outputs * widths[i], outputs]);
}

/* Bytes of one number: the first layer has more of them. */
function linkBytes(i) {
  return i < 2 ? 2 : 1;
}

function linkSize(widths) {
  const counts = linkCounts(widths);
  return LINK_HEADER + LINK_CHECKSUM + LINK_STEP * counts.length +
    counts.reduce((sum, count, i) => sum + count * linkBytes(i), 0);
}

/* The text for {widths, omegas, weights} of one network, and the shape, range and window
   of its picture. An error's message is for the reader. */
function writeLink({ widths, omegas, weights }, { shape, range, window }) {
  const size = linkSize(widths);
  const length = LINK_MARK.length + Math.ceil((size * 4) / 3);
  if (length > LONGEST_LINK) {
    throw new Error(`The link would have ${grouped(length)} characters, and ` +
      `${grouped(LONGEST_LINK)} are the most.`);
  }
  const view = new DataView(new ArrayBuffer(size));
  const hidden = omegas.slice(1).find((omega) => omega !== null) ?? omegas[0];
  const linear = omegas[omegas.length - 1] === null ? 1 : 0;
  [LINK_VERSION, widths[widths.length - 1], widths.length - 3, linear]
    .forEach((number, i) => view.setUint8(i, number));
  [widths[1], ...shape].forEach((number, i) => view.setUint16(4 + 2 * i, number, true));
  [omegas[0], hidden, ...range, ...window.flat()]
    .forEach((number, i) => view.setFloat32(10 + 4 * i, number, true));
  let [place, start] = [LINK_HEADER, 0];
  linkCounts(widths).forEach((count, i) => {
    place = writeSteps(view, place, weights.subarray(start, start + count), linkBytes(i));
    start += count;
  });
  const found = new Uint8Array(view.buffer);
  view.setUint32(place, checksum(found.subarray(0, place)), true);
  const text = btoa(String.fromCharCode(...found));
  return LINK_MARK + text.replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

function writeSteps(view, place, numbers, size) {
  const top = 2 ** (8 * size - 1) - 1;
  const largest = numbers.reduce((most, number) => Math.max(most, Math.abs(number)), 0);
  const step = Math.fround(largest / top);
  view.setFloat32(place, step, true);
  place += LINK_STEP;
  for (const number of numbers) {
    const count = step ? between(Math.floor(number / step + 0.5), -top, top) : 0;
    if (size === 2) view.setInt16(place, count, true);
    else view.setInt8(place, count);
    place += size;
  }
  return place;
}

/* What view_picture needs of a network: {network, shape, range, window}. */
function readLink(text) {
  if (text.length > LONGEST_LINK) {
    throw new Error(`The link has ${grouped(text.length)} characters, and at most ` +
      `${grouped(LONGEST_LINK)} are read.`);
  }
  const view = checkedBytes(text);
  const [version, channels, layers, linear] = [0, 1, 2, 3].map((i) => view.getUint8(i));
  if (version !== LINK_VERSION) {
    throw new Error(`The link is of version ${version}, and this page reads version ` +
      `${LINK_VERSION}.`);
  }
  const [width, ...shape] = [4, 6, 8].map((at) => view.getUint16(at, true));
  const numbers = Array.from({ length: 8 }, (_, i) => view.getFloat32(10 + 4 * i, true));
  const [first, hidden, low, high, top, bottom, left, right] = numbers;
  const widths = [2, ...new Array(layers + 1).fill(width), channels];
  const good = channels >= 1 && channels <= 3 && width >= 1 && width <= WIDEST_LINK &&
    linear < 2 && Math.min(...shape) > 0 && linkSize(widths) === view.byteLength &&
    numbers.every((number) => Math.abs(number) < LINK_LIMIT) &&
    first > 0 && hidden > 0 && low < high;
  if (!good) throw new Error(NOT_OURS);
  const last = linear ? null : hidden;
  const omegas = [first, ...new Array(layers).fill(hidden), last];
  return { network: { widths, omegas, weights: readSteps(view, widths) }, shape,
    range: [low, high], window: [[top, bottom], [left, right]] };
}

function readSteps(view, widths) {
  let place = LINK_HEADER;
  return Float32Array.from(linkCounts(widths).flatMap((count, i) => {
    const [step, size] = [view.getFloat32(place, true), linkBytes(i)];
    if (!(step >= 0 && step < LINK_LIMIT)) throw new Error(NOT_OURS);
    const start = place + LINK_STEP;
    place = start + count * size;
    return Array.from({ length: count }, (_, k) => step *
      (size === 2 ? view.getInt16(start + 2 * k, true) : view.getInt8(start + k)));
  }));
}

/* The bytes, if the checksum at their end is right. */
function checkedBytes(text) {
  if (!text.startsWith(LINK_MARK) || !/^[A-Za-z0-9_-]+$/.test(text)) {
    throw new Error(`There is no picture in this link: behind its # stands ` +
      `${LINK_MARK} and then letters, digits, - and _.`);
  }
  const letters = text.slice(LINK_MARK.length).replace(/-/g, "+").replace(/_/g, "/");
  const whole = letters.length % 4 !== 1;
  const found = whole ? bytes(letters) : new Uint8Array();
  const view = new DataView(found.buffer);
  const end = found.length - LINK_CHECKSUM;
  if (end <= LINK_HEADER ||
      checksum(found.subarray(0, end)) !== view.getUint32(end, true)) {
    throw new Error("The link is damaged, a part of it is missing or changed: copy it " +
      "again, all of it.");
  }
  return view;
}

/* CRC-32, as zlib computes it. */
function checksum(numbers) {
  let crc = 0xffffffff;
  for (const byte of numbers) {
    crc ^= byte;
    for (let k = 0; k < 8; k++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/* A button that makes the link to what `current()` returns, {network, picture}, or null
   before there is anything, copies it, and shows it. `page` draws it. */
function linkButton(page, current) {
  const said = element("output", { "aria-live": "polite" });
  const field = element("input", { readonly: "", hidden: "", "aria-label": "the link",
    style: "width: 100%; max-width: 30rem; box-sizing: border-box",
    focus: () => field.select() });
  const press = async () => {
    try {
      const found = current();
      if (!found) throw new Error("Train it first.");
      const address = new URL(page, document.baseURI);
      address.hash = writeLink(found.network, found.picture);
      field.value = address.href;
      field.hidden = false;
      said.textContent = `The link has ${grouped(field.value.length)} characters. ` +
        await copied(field);
    } catch (error) {
      said.textContent = error.message;
    }
  };
  return element("div", { class: "row" }, button("copy a link to it", press), said,
    field);
}

/* Copy what a field holds, and say whether that worked. */
async function copied(field) {
  try {
    await navigator.clipboard.writeText(field.value);
    return "It is copied.";
  } catch {  // not allowed, or no clipboard
    field.focus();
    field.select();
    return "It is marked here: copy it.";
  }
}
