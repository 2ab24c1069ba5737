/* needs: frame sheet */
/* Fits by quilts under three sliders. `spec` has the axes (tiles along a side, overlaps,
   hidden layers), the sheet of all combinations in that order, which of them is shown at
   first, the one or two PSNR of each, and the seconds it took, or null. */

const SLIDERS = ["tiles along a side", "overlap", "hidden layers"];

function exploreQuilt(root, spec) {
  const lengths = spec.axes.map((axis) => axis.length);
  const at = placesOf(spec.first, lengths);
  const numbers = element("output", { "aria-live": "polite" });
  const show = () => {
    const fit = at.reduce((place, each, i) => place * lengths[i] + each, 0);
    const words = wordsOf(spec, fit);
    numbers.textContent = words;
    const setting = SLIDERS.map((name, i) => `${name}: ${spec.axes[i][at[i]]}`);
    sheet.show(fit, `with ${setting.join(", ")}; ${words}`);
  };
  const sheet = new Sheet(spec, [["picture", null], ["Laplacian", 1]], show);
  const sliders = SLIDERS.map((name, i) => {
    const range = { min: 0, max: lengths[i] - 1, step: 1, value: at[i] };
    return slider(name, range, (place) => {
      at[i] = place;
      show();
    }, (place) => String(spec.axes[i][place]));
  });
  root.append(element("div", { class: "row" }, ...sliders), sheet.node, numbers);
}

/* Where a combination stands on each axis: the last one runs fastest. */
function placesOf(fit, [, overlaps, layers]) {
  return [Math.floor(fit / (overlaps * layers)), Math.floor(fit / layers) % overlaps,
    fit % layers];
}

function wordsOf({ psnr, seconds }, fit) {
  const [pixels, between] = psnr[fit].map((each) => `${each.toFixed(1)} dB`);
  return [`${pixels} on the pixels`, ...(between ? [`${between} between them`] : []),
    ...(seconds ? [`${seconds[fit].toFixed(1)} s on a CPU`] : [])].join(", ");
}
