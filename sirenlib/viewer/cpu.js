/* needs: frame network colors */
/* The neural picture without a graphics processor. */

const MOST_WORK = 6e8;  // multiplications for the values of a drawing
const FEWEST = 3e4;    // pixels that it has in any case

/* Draws the network with the processor: coarse at first, then finer, in short pieces of
   work that leave the page free. */
class ProcessorRenderer {
  constructor(network, { pixels, colors }) {
    this.canvas = element("canvas");
    this.network = network;
    this.pixels = pixels;
    this.colors = colors;
    const each = network.tiles[0].reduce((sum, { W }) => sum + W.length, 0);
    this.most = Math.max(FEWEST, MOST_WORK / each);
  }

  draw(scene, done) {
    this.scene = scene;
    const { width, height } = this.canvas;
    const passes = [8, 3, 1].map((share) =>
      [Math.ceil(width / share), Math.ceil(height / share)]);
    const next = () => {
      const [w, h] = passes.shift();
      this.pass(scene, w, h, () => (passes.length ? next() : done()));
    };
    next();
  }

  pass(scene, width, height, done) {
    const image = new ImageData(width, height);
    const points = width * height;
    let first = 0;
    const work = () => {
      if (scene !== this.scene) return;
      const start = performance.now();
      while (first < points && performance.now() - start < 20) {
        const count = Math.min(64, points - first);
        this.color(scene, image, first, count);
        first += count;
      }
      if (first < points) {
        setTimeout(work, 0);
        return;
      }
      this.show(scene, image);
      done();
    };
    work();
  }

  color(scene, image, first, count) {
    const { width, height } = image;
    const [row, column, rows, columns] = scene.view;
    const coords = new Float64Array(2 * count);
    for (let i = 0; i < count; i++) {
      const [y, x] = [Math.floor((first + i) / width), (first + i) % width];
      coords[2 * i] = row + ((y + 0.5) / height - 0.5) * rows;
      coords[2 * i + 1] = column + ((x + 0.5) / width - 0.5) * columns;
    }
    const state = evaluateNetwork(this.network, coords, scene.mode !== "value");
    for (let i = 0; i < count; i++) {
      const [y, x] = [Math.floor((first + i) / width), (first + i) % width];
      const mode = modeAt(scene, (y + 0.5) / height, (x + 0.5) / width);
      const color = pixelColor(mode, scene.edges, state, i, count, this.network.outputs,
        this.colors);
      image.data.set(color, 4 * (first + i));
    }
  }

  /* The image over the whole canvas, the training pixels left of the split. */
  show(scene, image) {
    const { canvas } = this;
    const page = canvas.getContext("2d");
    const small = element("canvas", { width: image.width, height: image.height });
    small.getContext("2d").putImageData(image, 0, 0);
    page.imageSmoothingEnabled = true;
    page.drawImage(small, 0, 0, canvas.width, canvas.height);
    const [row, column, rows, columns] = scene.view;
    const [top, left, tall, wide] = scene.extent;
    const box = [
      ((left - column) / columns + 0.5) * canvas.width,
      ((top - row) / rows + 0.5) * canvas.height,
      (wide / columns) * canvas.width, (tall / rows) * canvas.height,
    ];
    page.strokeStyle = "#d9731a";
    page.strokeRect(box[0] - 1, box[1] - 1, box[2] + 2, box[3] + 2);
    if (scene.split <= 0) return;
    page.save();
    page.beginPath();
    page.rect(0, 0, scene.split * canvas.width, canvas.height);
    page.clip();
    page.fillStyle = "#808080";
    page.fillRect(0, 0, canvas.width, canvas.height);
    page.imageSmoothingEnabled = false;
    page.drawImage(this.pixels, ...box);
    page.restore();
  }
}
