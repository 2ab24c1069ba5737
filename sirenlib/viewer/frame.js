/* needs: */
/* What every live output shares: taking the place of its picture, controls, plots.
   All files of an output are joined in one function, so their names are its own. */

/* Let `build(root, host)` make each waiting host alive; its picture stays where that
   fails. Some notebooks run a script before its host is on the page: wait for it. */
function mount(key, build, patience = 100) {
  const waiting = `.sirenlib[data-key="${key}"]:not([data-state])`;
  const hosts = document.querySelectorAll(waiting);
  if (!hosts.length && patience) setTimeout(mount, 50, key, build, patience - 1);
  for (const host of hosts) {
    const [stage, root] = shadowed();
    host.append(stage);
    host.dataset.state = "live";
    try {
      build(root, host);
    } catch (error) {
      giveUp(host, error);
    }
  }
}

/* An element, and the shadow root in it, which has the style of live outputs. */
function shadowed() {
  const stage = element("div");
  const root = stage.attachShadow({ mode: "open" });
  root.append(element("style", {}, STYLE));
  return [stage, root];
}

/* Show the picture again. */
function giveUp(host, error) {
  host.dataset.state = "picture";
  host.querySelectorAll(":scope > div").forEach((stage) => stage.remove());
  console.warn("sirenlib: the picture is shown instead.", error);
}

/* Call back once the element is on the screen, or about to be. */
function whenVisible(target, callback) {
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    callback();
  }, { rootMargin: "200px" });
  observer.observe(target);
}

/* A function that does its work in the next frame, once, however often it is called. */
function onceAFrame(work) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      work();
    });
  };
}

function prefersStillness() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/* Strings become text, never HTML. */
function element(tag, attributes = {}, ...children) {
  return furnish(document.createElement(tag), attributes, children);
}

function vector(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  return furnish(node, attributes, children);
}

function furnish(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

function button(text, press, attributes = {}) {
  return element("button", { type: "button", click: press, ...attributes }, text);
}

/* Buttons of which one is pressed; `pick(index)` is called for another one. */
function choice(name, options, pick, chosen = 0) {
  const press = (index) => {
    buttons.forEach((each, i) => each.setAttribute("aria-pressed", i === index));
    pick(index);
  };
  const buttons = options.map((option, i) =>
    button(option, () => press(i), { "aria-pressed": i === chosen }));
  return element("span", { role: "group", "aria-label": name, class: "choice" },
    ...buttons);
}

/* A slider with its name and its value; `change(value)` is called when it moves.
   `range` is {min, max, step, value}, and show(value) how the value is written. */
function slider(name, range, change, show = String) {
  const { min, max, step, value } = range;
  const input = element("input", { type: "range", min, max, step, value,
    "aria-label": name });
  const written = element("span", { class: "number" });
  const write = () => {
    written.textContent = show(Number(input.value));
    input.setAttribute("aria-valuetext", written.textContent);
  };
  input.addEventListener("input", () => {
    write();
    change(Number(input.value));
  });
  write();
  const label = element("label", { class: "slider" }, name, input, written);
  label.set = (number) => {
    input.value = number;
    write();
  };
  return label;
}

function between(value, low = 0, high = 1) {
  return Math.min(high, Math.max(low, value));
}

/* A whole number with a comma after each thousand. */
function grouped(count) {
  return count.toLocaleString("en");
}

/* Numbers that travel as base64. By Uint8Array.from it would take ten times as long. */
function bytes(text) {
  const letters = atob(text);
  const found = new Uint8Array(letters.length);
  for (let i = 0; i < found.length; i++) found[i] = letters.charCodeAt(i);
  return found;
}

function floats(text) {
  return new Float32Array(bytes(text).buffer);
}
