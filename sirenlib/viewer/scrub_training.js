/* needs: frame plot sheet */
/* The steps of a fit under a slider. `spec` has the steps, the PSNR of each, and the
   sheet of their panels. */

function scrubTraining(root, spec) {
  const last = spec.steps.length - 1;
  let at = last, timer = null;
  const plot = psnrPlot(spec);
  const numbers = element("output", { "aria-live": "polite" });

  const show = () => {
    const words = `step ${spec.steps[at]}, ${spec.psnr[at].toFixed(1)} dB`;
    numbers.textContent = words;
    sheet.show(at, `at ${words}`);
    drawPsnr(plot, spec, at);
  };
  const sheet = new Sheet(spec,
    [["picture", null], ["|gradient|", 0], ["Laplacian", 1]], show);
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
    sheet.node,
    element("figure", { style: "margin: 0" }, plot.svg,
      element("figcaption", {}, "PSNR in dB after so many steps")));
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
