/* needs: frame links view_picture */
/* The picture that stands in the address of the page. */

/* `spec` has an example, as text, and what view_picture needs beside it. */
function viewLink(root, spec) {
  const said = element("p", { role: "status" });
  const hall = element("div");
  root.append(said, hall);
  let shown = null;
  const show = () => {
    const text = location.hash.slice(1);
    const given = text.startsWith(LINK_MARK) ? text : "";
    if (given === shown) return;
    shown = given;
    try {
      showLink(hall, given || spec.example, spec);
      said.textContent = given ? "This picture came in the link."
        : "There is no picture in this page's address. This is an example.";
    } catch (error) {
      showLink(hall, spec.example, spec);
      said.textContent = `${error.message} This is an example instead.`;
    }
  };
  addEventListener("hashchange", show);
  show();
}

function showLink(hall, text, { colors, longest, renderer, alt, example }) {
  const found = readLink(text);
  const { network: { weights }, shape: [rows, columns] } = found;
  const size = `${grouped(weights.length)} numbers for ${columns} × ${rows} pixels`;
  const [place, root] = shadowed();
  hall.replaceChildren(element("p", { class: "note" },
    `${size}, in ${grouped(text.length)} characters.`), place);
  viewPicture(root, { ...found, pixels: null, places: [], colors, longest, renderer,
    alt: text === example ? alt : `A picture of ${size}, from a link.` });
}
