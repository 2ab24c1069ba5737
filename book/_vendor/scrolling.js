/* A figure or a formula that is wider than its place scrolls by itself. Here it becomes
   a stop of the Tab key, and says at which of its ends there is more. */

"use strict";

{
  const boxes = document.querySelectorAll(".bd-article :is(.drawing, div.math)");

  const look = (box) => {
    const left = box.scrollLeft, right = box.scrollWidth - box.clientWidth - left;
    const more = [left > 1 && "left", right > 1 && "right"].filter(Boolean);
    if (more.join(" ") !== (box.dataset.more ?? "")) box.dataset.more = more.join(" ");
    if (Boolean(more.length) === box.hasAttribute("tabindex")) return;
    const said = { tabindex: 0, role: "group",
      "aria-label": `${box.dataset.label ?? "Formula"}, scrolls sideways` };
    for (const [name, value] of Object.entries(said)) {
      if (more.length) box.setAttribute(name, value);
      else box.removeAttribute(name);
    }
  };

  const sizes = new ResizeObserver((entries) => entries.forEach(({ target }) =>
    look(target.closest(".drawing, div.math"))));
  for (const box of boxes) {
    sizes.observe(box);
    for (const child of box.children) sizes.observe(child);
    box.addEventListener("scroll", () => look(box), { passive: true });
  }
}
