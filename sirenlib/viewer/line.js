/* needs: frame network */
/* A network of one coordinate, which travels with its hidden layers in 16 bits. */

/* The form that readNetwork takes. The numbers of `hidden` are whole, matrix after
   matrix; in `weights` the size of their unit stands where the matrix belongs. */
function unrounded({ hidden, weights, ...form }) {
  const { widths, tiles: [count] = [1] } = form;
  const [precise, steps] = [floats(weights), new Int16Array(bytes(hidden).buffer)];
  const sizes = widths.slice(1).map((width, i) => [width * widths[i], width]);
  const each = sizes.reduce((sum, [matrix, bias]) => sum + matrix + bias, 0);
  const numbers = new Float64Array(count * each);
  let [from, step, to] = [0, 0, 0];
  const copy = (size) => {
    numbers.set(precise.subarray(from, from + size), to);
    from += size;
    to += size;
  };
  for (let tile = 0; tile < count; tile++) {
    sizes.forEach(([matrix, bias], i) => {
      if (i === 0 || i === sizes.length - 1) {
        copy(matrix);
      } else {
        const unit = precise[from++];
        for (const end = to + matrix; to < end;) numbers[to++] = unit * steps[step++];
      }
      copy(bias);
    });
  }
  return { ...form, weights: numbers };
}

/* The values at N points, in 64 bits: a phase may be thousands of turns. */
function valuesAlong({ axes: [axis], tiles }, coords) {
  const values = new Float64Array(coords.length);
  const pieces = new Map();
  coords.forEach((x, point) => {
    for (const { tile, share } of sidesOf(axis, x)) {
      if (!pieces.has(tile)) pieces.set(tile, []);
      pieces.get(tile).push({ point, share });
    }
  });
  for (const [tile, list] of pieces) {
    const inside = Float64Array.from(list, ({ point }) => coords[point]);
    const found = evaluateTile(tiles[tile], inside, false);
    list.forEach(({ point, share }, i) => { values[point] += share * found[i]; });
  }
  return values;
}
