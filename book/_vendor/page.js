/* MathJax's settings, and how a page goes to paper. In a file, since a host may forbid
   scripts inside of pages. */

"use strict";

window.MathJax = {
  options: { processHtmlClass: "tex2jax_process|mathjax_process|math|output_area" },
};

/* Paper is white, and nobody can unfold it. */
{
  let left = null;

  addEventListener("beforeprint", () => {
    if (left) return;
    const { dataset } = document.documentElement;
    const folds = [...document.querySelectorAll("details:not([open])")];
    left = { theme: dataset.theme, folds };
    dataset.theme = "light";
    folds.forEach((fold) => fold.open = true);
  });

  addEventListener("afterprint", () => {
    if (!left) return;
    document.documentElement.dataset.theme = left.theme;
    left.folds.forEach((fold) => fold.open = false);
    left = null;
  });
}
