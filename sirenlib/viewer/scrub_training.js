/* needs: frame plot */
/* The steps of a fit under a slider. `spec` has the steps, the PSNR of each, the height
   and width of a panel, the color tables, and a sheet: three panels for each step, of
   which the last two get their colors here. `rows` steps stand below each other. */

const PANELS = ["picture", "|gradient|", "Laplacian"];

function scrubTraining(root, spec) {
  const [height, width] = spec.shape;
  const last = spec.steps.length - 1;
  const colors = bytes(spec.colors);
  let at = last, timer = null;
  const canvases = PANELS.map(() => element("canvas", { width, height, role: "img",
    style: "width: 100%; image-rendering: pixelated" }));
  const plot = psnrPlot(spec);
  const numbers = element("output", { "aria-live": "polite" });
  const sheet = new Image();

  const show = () => {
    const words = `step ${spec.steps[at]}, ${spec.psnr[at].toFixed(1)} dB`;
    numbers.textContent = words;
    canvases.forEach((canvas, i) => {
      canvas.setAttribute("aria-label", `${PANELS[i]} at ${words}`);
      const page = canvas.getContext("2d", { willReadFrequently: true });
      const left = (3 * Math.floor(at / spec.rows) + i) * width;
      const top = (at % spec.rows) * height;
      page.drawImage(sheet, left, top, width, height, 0, 0, width, height);
      if (i > 0) colorPanel(page, colors.subarray(1024 * (i - 1), 1024 * i));
    });
    drawPsnr(plot, spec, at);
  };
  const go = (place) => {
    at = place;
    steps.set(at);
    show();
  };
  const steps = slider("step", { min: 0, max: last, step: 1, value: last }, (place) => {
    stop();
    go(place);
  }, (place) => String(spec.steps[place]));
  const stop = () => {
    clearInterval(timer);
    timer = null;
    play.textContent = "play";
  };
  const play = button("play", () => {
    if (timer) {
      stop();
      return;
    }
    play.textContent = "pause";
    if (at === last) go(0);
    timer = setInterval(() => (at < last ? go(at + 1) : stop()), 400);
  });

  root.append(
    element("div", { class: "row" },
      // Who asked for stillness has the slider.
      ...(prefersStillness() ? [] : [play]), steps, numbers),
    element("div", { class: "row", style: "flex-wrap: nowrap; max-width: 34rem" },
      ...canvases.map((canvas, i) => element("figure", { style: "flex: 1 1 0" },
        canvas, element("figcaption", {}, PANELS[i])))),
    element("figure", { style: "margin: 0" }, plot.svg,
      element("figcaption", {}, "PSNR in dB after so many steps")));
  sheet.onload = show;
  sheet.src = spec.sheet;
}

/* Give each gray its color from a table of 256. */
function colorPanel(page, table) {
  const image = page.getImageData(0, 0, page.canvas.width, page.canvas.height);
  for (let i = 0; i < image.data.length; i += 4) {
    image.data.set(table.subarray(4 * image.data[i], 4 * image.data[i] + 4), i);
  }
  page.putImageData(image, 0, 0);
}

/* The step stands on a logarithmic axis: most happens in the first ones. */
function psnrPlot({ steps, psnr }) {
  const finite = psnr.filter(Number.isFinite);
  const low = 10 * Math.floor(Math.min(...finite) / 10);
  const high = 10 * Math.ceil(Math.max(...finite) / 10);
  const marks = steps.filter((_, i) => i % Math.ceil(steps.length / 6) === 0);
  const values = [];
  for (let mark = low; mark <= high; mark += 10) values.push(mark);
  return new Plot({
    x: [Math.log(1 + steps[0]), Math.log(1 + steps[steps.length - 1])],
    y: [low, high], width: 360, height: 130, label: "",
    ticks: { x: marks.map((step) => [Math.log(1 + step), step]), y: values },
  });
}

function drawPsnr(plot, { steps, psnr }, at) {
  const points = steps.map((step, i) => [Math.log(1 + step), psnr[i]]);
  plot.clear();
  plot.line(points, "measured");
  plot.dots([points[at]], "predicted");
  plot.say(`PSNR from ${psnr[0].toFixed(1)} dB at step ${steps[0]} to ` +
    `${psnr[psnr.length - 1].toFixed(1)} dB at step ${steps[steps.length - 1]}`);
}
