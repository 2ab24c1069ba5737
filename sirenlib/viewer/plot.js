/* needs: frame */
/* Axes with room for what is drawn: `x` and `y` are [first, last] values, `ticks` has
   the numbers (or [number, text] pairs) that are written below them and beside them. */
class Plot {
  constructor({ x, y, width = 300, height = 120, label, ticks = {} }) {
    this.x = x;
    this.y = y;
    this.box = { left: ticks.y ? 34 : 6, right: width - 8, top: 6, bottom: height - 20 };
    this.svg = vector("svg", { viewBox: `0 0 ${width} ${height}`, role: "img",
      "aria-label": label, class: "plot" });
    this.layer = vector("g");
    const { left, right, bottom } = this.box;
    this.svg.append(this.layer,
      vector("path", { d: `M${left},${bottom}H${right}`, class: "axis" }));
    for (const tick of ticks.x || []) {
      const [at, text] = [tick].flat();
      this.svg.append(vector("text", { x: this.across(at), y: height - 5,
        "text-anchor": "middle" }, text ?? at));
    }
    for (const tick of ticks.y || []) {
      const [at, text] = [tick].flat();
      this.svg.append(vector("text", { x: left - 5, y: this.up(at) + 4,
        "text-anchor": "end" }, text ?? at));
    }
  }

  /* The place of a value, in the units of the drawing; what is outside stays at the edge
     of the plot. */
  across(value) {
    const { left, right } = this.box;
    const share = between((value - this.x[0]) / (this.x[1] - this.x[0]));
    return left + share * (right - left);
  }

  up(value) {
    const { top, bottom } = this.box;
    const share = between((value - this.y[0]) / (this.y[1] - this.y[0]));
    return bottom - share * (bottom - top);
  }

  clear() {
    this.layer.replaceChildren();
  }

  say(label) {
    this.svg.setAttribute("aria-label", label);
  }

  /* A line through [x, y] pairs. The class is "measured", "predicted", "third" or
     "level", as the style sheet has them. */
  line(points, kind) {
    const d = points.map(([x, y], i) =>
      `${i ? "L" : "M"}${this.across(x).toFixed(1)},${this.up(y).toFixed(1)}`).join("");
    this.layer.append(vector("path", { d, class: `line ${kind}` }));
  }

  dots(points, kind) {
    for (const [x, y] of points) {
      this.layer.append(vector("circle", { cx: this.across(x), cy: this.up(y), r: 5,
        class: `dot ${kind}` }));
    }
  }

  /* Bars of equal width over the whole of x. */
  bars(heights, kind) {
    const step = (this.box.right - this.box.left) / heights.length;
    const d = heights.map((height, i) => {
      const left = (this.box.left + i * step).toFixed(2);
      return `M${left},${this.box.bottom}V${this.up(height).toFixed(1)}` +
        `h${step.toFixed(2)}V${this.box.bottom}z`;
    }).join("");
    this.layer.append(vector("path", { d, class: `bars ${kind}` }));
  }
}
