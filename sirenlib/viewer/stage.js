/* needs: frame */
/* What is turned or moved with a mouse, with fingers and with keys. */

/* A drawing that has the focus once it is clicked. */
function stageFor(label) {
  return element("div", { class: "stage", tabindex: 0, role: "application",
    "aria-label": label });
}

/* A button that shows a part of the page, which is hidden at first, or hides it again. */
function switchFor(name, part) {
  part.hidden = true;
  const press = button(name, () => {
    part.hidden = !part.hidden;
    press.setAttribute("aria-pressed", !part.hidden);
  }, { "aria-pressed": false });
  return press;
}

/* Give a canvas a pixel for each of the screen's, or as many as its renderer can draw,
   and say whether it had other ones. */
function fitToStage({ canvas, most }, { clientWidth, clientHeight }) {
  if (!clientWidth) return false;
  const sharp = Math.min(2, devicePixelRatio,
    Math.sqrt(most / (clientWidth * clientHeight)));
  const [width, height] = [clientWidth, clientHeight].map((side) =>
    Math.max(1, Math.round(side * sharp)));
  if (canvas.width === width && canvas.height === height) return false;
  Object.assign(canvas, { width, height });
  return true;
}

/* Mouse, touch and keys. A place goes from -1/2 to 1/2, down and to the right. Before
   the stage has been tapped, a finger that moves up or down scrolls the page, and so
   does the wheel. `acts` has drag(from, to), zoom(place, factor), point(place) and
   key(name), which says whether it knows that key. */
function listenTo(stage, { drag, zoom, point, key }) {
  const fingers = new Map();
  const placeAt = (event) => {
    const box = stage.getBoundingClientRect();
    return [(event.clientY - box.top) / box.height - 0.5,
      (event.clientX - box.left) / box.width - 0.5];
  };
  const pinch = (still, from, to) => {
    const apart = (place) => Math.hypot(place[0] - still[0], place[1] - still[1]);
    const middle = [(to[0] + still[0]) / 2, (to[1] + still[1]) / 2];
    zoom(middle, apart(to) / Math.max(0.001, apart(from)));
  };
  const lift = (event) => fingers.delete(event.pointerId);
  furnish(stage, {
    click: () => stage.focus(),
    pointerdown: (event) => {
      stage.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, placeAt(event));
    },
    pointermove: (event) => {
      const [from, to] = [fingers.get(event.pointerId), placeAt(event)];
      const others = [...fingers].filter(([id]) => id !== event.pointerId);
      if (from && others.length) pinch(others[0][1], from, to);
      else if (from) drag(from, to);
      if (from) fingers.set(event.pointerId, to);
      point(to);
    },
    pointerup: lift,
    pointercancel: lift,
    keydown: (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !key(event.key)) return;
      event.preventDefault();
    },
  }, []);
  stage.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !stage.matches(":focus")) return;
    event.preventDefault();
    zoom(placeAt(event), Math.exp(-0.0015 * event.deltaY));
  }, { passive: false });
}
