/* What a reference names, shown beside it: on hover, on focus, and at a tap. */

"use strict";

{
  const WAIT = 150; // ms that a pointer rests on a link, and is given to reach the preview
  const EDGE = 8; // px between a preview and the edge of the window

  const loads = new Map(); // for each other page what its targets show
  const waiting = new Map();
  let box = null;
  let shown = null; // the link whose target is shown
  let turn = 0; // a preview that comes too late does not appear
  let timer = 0;

  /* Called by previews/NAME.js. */
  window.references = { show: (page, targets) => waiting.get(page)(targets) };

  const script = (address) => new Promise((done, fail) =>
    document.head.append(Object.assign(
      document.createElement("script"), { src: address, onload: done, onerror: fail })));

  /* The targets of another page, by their ids. */
  const load = (address) => {
    const [, folder, page] = address.match(/^(.*[/])([^/]*)[.]html$/);
    if (!loads.has(page))
      loads.set(page, new Promise((done, fail) => {
        waiting.set(page, done);
        script(`${folder}previews/${page}.js`).catch(fail);
      }));
    return loads.get(page);
  };

  const here = (link) => link.href.split("#")[0] === location.href.split("#")[0];

  /* A target as it is read beside a link: without ids, folds and signs of its own. */
  const parts = async (link) => {
    const [address, id] = link.href.split("#");
    const holder = document.createElement("div");
    if (here(link)) holder.append(document.getElementById(id).cloneNode(true));
    else holder.innerHTML = (await load(address))[id];
    holder.querySelectorAll("details, .cell, .prediction, script, .headerlink, .copybtn")
      .forEach((each) => each.remove());
    holder.querySelectorAll("[id]").forEach((each) => each.removeAttribute("id"));
    holder.querySelectorAll("a[href^='#']").forEach((each) =>
      each.href = address + each.getAttribute("href"));
    return holder;
  };

  /* MathJax is on pages with formulas of their own; the others load it now, and then it
     sets what is on the page by itself. */
  const typeset = async (holder) => {
    const bare = () => holder.querySelector(".math:not(:has(mjx-container))");
    if (!bare()) return;
    if (!window.MathJax?.startup) {
      const root = document.documentElement.dataset.content_root || "./";
      await script(`${root}_static/mathjax/tex-mml-chtml.js`);
    }
    await MathJax.startup.promise;
    if (bare()) await MathJax.typesetPromise([holder]);
  };

  /* Below its link where there is room, otherwise above, and inside the window. */
  const place = (link) => {
    const lines = [...link.getClientRects()];
    const [first, last] = [lines[0], lines[lines.length - 1]];
    const { clientWidth: width, clientHeight: height } = document.documentElement;
    const below = height - last.bottom - 2 * EDGE;
    const above = first.top - 2 * EDGE;
    const under = below >= box.scrollHeight || below >= above;
    box.style.maxHeight = `${Math.max(under ? below : above, 0.25 * height)}px`;
    const { width: wide, height: high } = box.getBoundingClientRect();
    const left = Math.min(Math.max(last.left, EDGE), width - wide - EDGE);
    const top = under ? last.bottom + EDGE / 2 : first.top - high - EDGE / 2;
    box.style.left = `${left + scrollX}px`;
    box.style.top = `${top + scrollY}px`;
  };

  const hide = () => {
    clearTimeout(timer);
    turn++;
    shown?.removeAttribute("aria-describedby");
    box?.remove();
    box = shown = null;
  };

  const show = async (link, tapped) => {
    clearTimeout(timer);
    if (link === shown) return;
    hide();
    shown = link;
    const mine = turn;
    const holder = await parts(link).catch(() => null);
    if (!holder || mine !== turn) return;
    box = Object.assign(document.createElement("div"), {
      className: "preview bd-article", id: "preview", role: "tooltip", tabIndex: -1 });
    box.append(...holder.childNodes);
    if (tapped) {
      const way = Object.assign(document.createElement("a"), {
        className: "way", href: link.href, textContent: `Go to ${link.textContent}` });
      way.addEventListener("click", hide);
      box.append(way);
      box.role = "dialog";
      box.ariaLabel = link.textContent;
    }
    box.addEventListener("pointerenter", () => clearTimeout(timer));
    box.addEventListener("pointerleave", leave);
    document.body.append(box);
    place(link);
    await typeset(box).catch(() => {});
    if (mine !== turn) return;
    place(link);
    box.dataset.state = "shown";
    if (tapped) box.focus({ preventScroll: true });
    else link.setAttribute("aria-describedby", "preview");
  };

  const leave = (event) => {
    clearTimeout(timer);
    if (event.pointerType !== "touch") timer = setTimeout(hide, 2 * WAIT);
  };

  for (const link of document.querySelectorAll("a.to")) {
    let touched = false;
    link.addEventListener("pointerdown", (event) => {
      touched = event.pointerType === "touch";
    });
    link.addEventListener("pointerenter", (event) => {
      clearTimeout(timer);
      if (event.pointerType === "mouse") timer = setTimeout(show, WAIT, link);
    });
    link.addEventListener("pointerleave", leave);
    link.addEventListener("focus", () => {
      if (link.matches(":focus-visible") && !touched) show(link);
    });
    link.addEventListener("blur", (event) => {
      if (!touched && !box?.contains(event.relatedTarget)) hide();
    });
    link.addEventListener("click", (event) => {
      if (!touched) return hide();
      event.preventDefault();
      touched = false;
      show(link, true);
    });
  }

  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !shown) return;
    const link = shown;
    if (box?.contains(document.activeElement)) link.focus({ preventScroll: true });
    hide();
  });
  addEventListener("pointerdown", (event) => {
    if (box?.contains(event.target) || event.target.closest("a.to") === shown) return;
    hide();
  });
  addEventListener("beforeprint", hide);
}
