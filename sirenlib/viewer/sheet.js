/* needs: frame */
/* Fits of a picture, of which one is shown: its panels beside each other. */

/* `spec` has the height and the width of a panel, the color tables, and the sheet, a
   picture of all panels, in which `rows` fits stand below each other. Each of `panels`
   is a name and the number of the table that colors its grays, or null. Once the sheet
   is there, ready() is called. */
class Sheet {
  constructor({ shape: [height, width], rows, sheet, colors }, panels, ready) {
    Object.assign(this, { height, width, rows, panels, colors: bytes(colors) });
    this.canvases = panels.map(() => element("canvas", { width, height, role: "img",
      style: "width: 100%; image-rendering: pixelated" }));
    this.node = element("div",
      { class: "row", style: "flex-wrap: nowrap; max-width: 34rem" },
      ...panels.map(([name], i) => element("figure", { style: "flex: 1 1 0" },
        this.canvases[i], element("figcaption", {}, name))));
    this.picture = new Image();
    this.picture.onload = ready;
    this.picture.src = sheet;
  }

  /* The fit at that place of the sheet; the words are for who does not see it. */
  show(place, words) {
    const { height, width, panels } = this;
    this.canvases.forEach((canvas, i) => {
      const [name, table] = panels[i];
      canvas.setAttribute("aria-label", `${name} ${words}`);
      const page = canvas.getContext("2d", { willReadFrequently: true });
      const left = (panels.length * Math.floor(place / this.rows) + i) * width;
      const top = (place % this.rows) * height;
      page.drawImage(this.picture, left, top, width, height, 0, 0, width, height);
      if (table === null) return;
      colorPanel(page, this.colors.subarray(1024 * table, 1024 * (table + 1)));
    });
  }
}

/* Give each gray its color from a table of 256. */
function colorPanel(page, table) {
  const image = page.getImageData(0, 0, page.canvas.width, page.canvas.height);
  for (let i = 0; i < image.data.length; i += 4) {
    image.data.set(table.subarray(4 * image.data[i], 4 * image.data[i] + 4), i);
  }
  page.putImageData(image, 0, 0);
}
