/* needs: shader */
/* Who draws: a graphics processor, where there is a fast one, or the page itself. */

/* Give `use` a renderer: with a graphics processor shader(lost), otherwise, or where
   that fails, plain(). `asked` is "auto", "webgl" or "cpu". */
function withRenderer(asked, shader, plain, use) {
  const plainly = () => use(plain());
  if (asked === "cpu" || (asked === "auto" && !hasFastShaders())) {
    plainly();
    return;
  }
  try {
    use(shader(plainly));
  } catch (error) {
    if (asked === "webgl") throw error;
    plainly();
  }
}
