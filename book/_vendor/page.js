/* MathJax's settings, and how a page goes to paper. In a file, since a host may forbid
   scripts inside of pages. */

"use strict";

window.MathJax = {
  chtml: { scale: 0.93 },  // a letter in a formula is as high as one in the text
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
