/* Numbers that a reader writes down before looking. They are kept in this browser, and
   stand beside the measured ones once a solution is opened. */

"use strict";

{
  const KEY = "Sine Networks: predictions";
  const NONE = "this browser does not let the page remember it";
  let kept = {}; // for each exercise a number: what counts where nothing is remembered
  let remembers = true;

  const load = () => {
    try {
      kept = JSON.parse(localStorage.getItem(KEY)) || {};
    } catch (error) {
      if (!(error instanceof SyntaxError)) remembers = false;
    }
    return kept;
  };

  const save = () => {
    try {
      localStorage.setItem(KEY, JSON.stringify(kept));
    } catch {
      remembers = false;
    }
  };

  const make = (name, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };

  const text = (number) => String(number).replace("-", "−");

  /* How far a prediction is from what was measured. The same words as in
     sirenlib/predictions.py. */
  const deviation = (prediction, measured) => {
    if (prediction === measured) return "as measured";
    const ratio = measured ? prediction / measured : 0;
    if (ratio <= 0) {
      const off = Number(Math.abs(prediction - measured).toPrecision(3));
      return `${ratio ? "wrong sign, " : ""}off by ${off}`;
    }
    if (ratio >= 0.5 && ratio <= 2) {
      const percent = 100 * Math.abs(ratio - 1);
      const amount = percent < 0.05 ? "less than 0.1" : percent.toFixed(percent < 9.95);
      const where = prediction > measured ? "above" : "below";
      return `${amount} % ${where} the measured value`;
    }
    const factor = Math.max(ratio, 1 / ratio);
    const amount = factor < 9.95 ? factor.toFixed(1)
      : Math.round(factor).toLocaleString("en");
    return `a factor ${amount} too ${ratio > 1 ? "large" : "small"}`;
  };

  // The box of an exercise

  const field = (place) => {
    const { exercise, what, measured, shown, law } = place.dataset;
    const id = `prediction-${exercise.replace(".", "-")}`;
    const input = make("input", { id, type: "number", step: "any", autocomplete: "off" });
    input.setAttribute("aria-describedby", `${id}-kept`);
    const note = make("small", { id: `${id}-kept` });
    const result = make("output", { htmlFor: id });
    result.setAttribute("aria-live", "polite");
    const label = make("label", { htmlFor: id }, "Your prediction: ",
      make("span", { className: "what", textContent: what }));
    place.append(label, input, result, note);

    const solution = [...place.closest("blockquote").querySelectorAll("details")]
      .find((each) => each.querySelector(":scope > summary")?.textContent === "Solution");
    const tell = () => {
      note.textContent = input.validity.badInput ? "This is not a number."
        : remembers ? "remembered in this browser only" : NONE;
      const number = kept[exercise];
      const ready = solution?.open && number !== undefined;
      result.hidden = !ready;
      result.replaceChildren();
      if (!ready) return;
      const item = (name, value) => make("span", {}, `${name} `, make("b", {}, value));
      result.append(item("measured", shown), " ");
      if (law !== undefined) result.append(item("the law gives", law), " ");
      const words = deviation(number, Number(measured));
      result.append(make("span", { className: "deviation" }, words));
    };

    input.addEventListener("change", () => {
      load();
      if (input.value === "") delete kept[exercise];
      else kept[exercise] = Number(input.value);
      save();
      tell();
    });
    solution?.addEventListener("toggle", tell);
    return () => {
      input.value = kept[exercise] ?? "";
      tell();
    };
  };

  // The page with all of them

  const ruled = (table) => {
    const places = [...table.querySelectorAll(".yours")];
    const summary = make("p", { className: "predicted" });
    summary.setAttribute("aria-live", "polite");
    const button = make("button", {
      type: "button", className: "forget", textContent: "Forget all predictions" });
    const none = document.querySelector(".no-predictions");
    (table.closest(".pst-scrollable-table-container") || table).before(summary, button);

    const show = () => {
      const pairs = [];
      for (const place of places) {
        const { exercise, measured, shown } = place.dataset;
        const number = kept[exercise];
        const row = place.closest("tr");
        const known = number !== undefined;
        if (known) pairs.push([number, Number(measured)]);
        row.classList.toggle("known", known);
        place.textContent = known ? text(number) : "";
        row.querySelector(".measured").textContent = known ? shown : "";
        row.querySelector(".deviation").textContent =
          known ? deviation(number, Number(measured)) : "";
      }
      const near = pairs.filter(([p, m]) => Math.abs(p - m) <= 0.1 * Math.abs(m)).length;
      const half = pairs.filter(([p, m]) =>
        p === m || (m && p / m >= 0.5 && p / m <= 2)).length;
      const lie = (count) => `${count} ${count === 1 ? "lies" : "lie"}`;
      summary.textContent = pairs.length ?
        `You predicted ${pairs.length} of ${places.length}. Of these ${lie(near)} ` +
        `within 10 % of the measured value, and ${half} within a factor of 2.` : "";
      if (none) none.hidden = pairs.length > 0;
      button.hidden = !pairs.length;
    };

    button.addEventListener("click", () => {
      if (!confirm("Forget all your predictions in this browser?")) return;
      kept = {};
      save();
      show();
    });
    return show;
  };

  load();
  try {
    localStorage.setItem(`${KEY}?`, "");
    localStorage.removeItem(`${KEY}?`);
  } catch {
    remembers = false;
  }
  const views = [
    ...[...document.querySelectorAll("blockquote .prediction")].map(field),
    ...[...document.querySelectorAll("table.predictions")].map(ruled),
  ];
  const all = () => {
    load();
    for (const view of views) view();
  };
  all();
  addEventListener("storage", all); // another page of the book has changed them
}
