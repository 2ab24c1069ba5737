/* needs: frame */
/* A picture of the reader's own, dropped, pasted or chosen: its middle in gray. */

const SMALLEST_SIDE = 8, MOST_PIXELS = 1e8;  // of a picture that is read

function paintGray(canvas, values) {
  const image = new ImageData(canvas.width, canvas.height);
  values.forEach((value, i) => {
    const gray = Math.round(127.5 * (between(value, -1, 1) + 1));
    image.data.set([gray, gray, gray, 255], 4 * i);
  });
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/* The middle of a picture file as gray values in [-1, 1], and a sentence about it. An
   error's message is for the reader. */
async function readGray(file, side) {
  if (!file) throw new Error("That was no file. Save the picture, then drop its file.");
  const picture = await loadPicture(file);
  const { naturalWidth: width, naturalHeight: height } = picture;
  const size = `${file.name} has ${width} × ${height} pixels`;
  if (Math.min(width, height) < SMALLEST_SIDE) {
    throw new Error(`${size}: choose a picture of ${SMALLEST_SIDE} × ${SMALLEST_SIDE} ` +
      "or more.");
  }
  if (width * height > MOST_PIXELS) {
    throw new Error(`${size}: this page reads up to ${MOST_PIXELS / 1e6} million. Make ` +
      "it smaller and try again.");
  }
  const values = grayOf(colorsOf(middleOf(picture, side), file.name), side);
  const way = Math.min(width, height) < side ? "enlarged" : "reduced";
  const flat = values.every((value) => Math.abs(value - values[0]) < 1e-6)
    ? " It is all of one gray: there is little to learn." : "";
  return { values, words: `${size}. The middle is ${way} to ${side} × ${side}.${flat}` };
}

async function loadPicture(file) {
  const picture = new Image();
  const address = URL.createObjectURL(file);
  try {
    await new Promise((resolve, reject) => {
      Object.assign(picture, { onload: resolve, onerror: reject, src: address });
    });
    return picture;
  } catch {
    throw new Error(`${file.name} is no picture that this browser can read. Try a PNG ` +
      "or a JPEG file.");
  } finally {
    URL.revokeObjectURL(address);
  }
}

/* The middle square on white: many times the side, where the picture is as large. */
function middleOf(picture, side) {
  const { naturalWidth: width, naturalHeight: height } = picture;
  const square = Math.min(width, height);
  let size = side;
  while (2 * size <= Math.min(square, 1024)) size *= 2;
  const canvas = element("canvas", { width: size, height: size });
  const page = canvas.getContext("2d");
  page.imageSmoothingQuality = "high";
  page.fillStyle = "#fff";
  page.fillRect(0, 0, size, size);
  page.drawImage(picture, (width - square) / 2, (height - square) / 2, square, square,
    0, 0, size, size);
  return page;
}

function colorsOf(page, name) {
  const { width, height } = page.canvas;
  try {
    return page.getImageData(0, 0, width, height).data;
  } catch {  // a drawing that holds HTML
    throw new Error(`The browser hides the pixels of ${name}. Save it as a PNG file.`);
  }
}

/* Gray values in [-1, 1], each the mean of a block of pixels. The weights of red, green
   and blue are those of Rec. 601, as in image_signal. */
function grayOf(colors, side) {
  const size = Math.sqrt(colors.length / 4);
  const block = size / side;
  const values = new Float64Array(side * side).fill(-1);
  for (let i = 0; i < size * size; i++) {
    const [red, green, blue] = [colors[4 * i], colors[4 * i + 1], colors[4 * i + 2]];
    const [row, column] = [Math.floor(i / size), i % size];
    values[Math.floor(row / block) * side + Math.floor(column / block)] +=
      (0.299 * red + 0.587 * green + 0.114 * blue) / 127.5 / block ** 2;
  }
  return Float32Array.from(values, (value) => between(value, -1, 1));
}
