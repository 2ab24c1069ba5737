/* needs: network colors passes */
/* The neural picture without a graphics processor. */

const MOST_WORK = 6e8;  // multiplications for the values of a drawing
const FEWEST = 3e4;    // pixels that it has in any case

class ProcessorRenderer extends Passes {
  constructor(network, { pixels, colors }) {
    super();
    this.network = network;
    this.pixels = pixels;
    this.colors = colors;
    const each = network.tiles[0].reduce((sum, { W }) => sum + W.length, 0);
    this.most = Math.max(FEWEST, MOST_WORK / each);
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

  /* The image, the line around it, and the training pixels left of the split. */
  show(scene, image) {
    super.show(scene, image);
    const { canvas } = this;
    const page = canvas.getContext("2d");
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
