/* needs: frame */
/* A canvas drawn by the processor: coarse at first, then finer, in short pieces of work
   that leave the page free. */

/* A subclass has color(scene, image, first, count), which draws so many pixels, and
   `most`, how many its drawings have at most. */
class Passes {
  constructor() {
    this.canvas = element("canvas");
    this.coarse = false;  // whether the first pass is under way
  }

  /* What is half drawn is dropped, but for the first pass: something that moves all the
     time would never be seen. */
  draw(scene, done) {
    this.scene = scene;
    this.done = done;
    if (this.coarse) return;
    this.coarse = true;
    this.pass(scene, 8, () => {
      this.coarse = false;
      if (scene === this.scene) this.refine(scene);
      else if (this.scene) this.draw(this.scene, this.done);
    });
  }

  refine(scene) {
    this.pass(scene, 3, () => this.pass(scene, 1, this.done));
  }

  /* With pixels so many times as large. */
  pass(scene, share, done) {
    const [width, height] = [this.canvas.width, this.canvas.height].map((side) =>
      Math.ceil(side / share));
    const image = new ImageData(width, height);
    const points = width * height;
    let first = 0;
    const work = () => {
      if (scene !== this.scene && !this.coarse) return;
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

  /* The image over the whole canvas. */
  show(scene, image) {
    const { width, height } = this.canvas;
    const page = this.canvas.getContext("2d");
    const small = element("canvas", { width: image.width, height: image.height });
    small.getContext("2d").putImageData(image, 0, 0);
    page.imageSmoothingEnabled = true;
    page.clearRect(0, 0, width, height);
    page.drawImage(small, 0, 0, width, height);
  }
}
