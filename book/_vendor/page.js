/* MathJax's settings, and how a page goes to paper. In a file, since a host may forbid
   scripts inside of pages. */

"use strict";

window.MathJax = {
  chtml: { scale: 0.93 },  // a letter in a formula is as high as one in the text
  options: { processHtmlClass: "tex2jax_process|mathjax_process|math|output_area" },
};

/* Paper is white, and nobody can unfold it: "Show the solution" becomes "Solution". */
{
  const undo = [];

  const change = (thing, key, value) => {
    const old = thing[key];
    undo.push(() => thing[key] = old);
    thing[key] = value;
  };

  addEventListener("beforeprint", () => {
    change(document.documentElement.dataset, "theme", "light");
    for (const fold of document.querySelectorAll("details")) change(fold, "open", true);
    for (const line of document.querySelectorAll("summary p")) {
      const what = line.textContent.replace(/^(Show|Hide) the /, "");
      change(line, "textContent", what.charAt(0).toUpperCase() + what.slice(1));
    }
  });

  addEventListener("afterprint", () => {
    while (undo.length) undo.pop()();
  });
}
