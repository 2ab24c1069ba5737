/* MathJax's settings, and how a page goes to paper. In a file, since a host may forbid
   scripts inside of pages. */

"use strict";

// On a phone there is no room for centering: a formula would keep as much space at its
// left as its number has at its right.
const narrow = matchMedia("(max-width: 576px)").matches;

window.MathJax = {
  chtml: {
    scale: 0.93,  // a letter in a formula is as high as one in the text
    ...(narrow && { displayAlign: "left" }),
  },
  tex: narrow ? { tagIndent: "0.4em" } : {},
  options: { processHtmlClass: "tex2jax_process|mathjax_process|math|output_area" },
};

/* Paper is white, and nobody can unfold it: hints and solutions are open there. Code that
   is folded stays away, see book.css. */
{
  const undo = [];

  const change = (thing, key, value) => {
    const old = thing[key];
    undo.push(() => thing[key] = old);
    thing[key] = value;
  };

  addEventListener("beforeprint", () => {
    change(document.documentElement.dataset, "theme", "light");
    const folds = document.querySelectorAll("details:not(.cell details.hide)");
    for (const fold of folds) change(fold, "open", true);
  });

  addEventListener("afterprint", () => {
    while (undo.length) undo.pop()();
  });
}
