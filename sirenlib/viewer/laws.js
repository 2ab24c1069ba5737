/* needs: */
/* The recursion of chapters 6 and 7 for wide networks: q is the variance of a weighted
   sum, s the mean cosine of twice the bias, and hidden weights are U(±c/√n). */

function sineOverItself(t) {
  return t === 0 ? 1 : Math.sin(t) / t;
}

/* s = E cos(2 b) for a bias uniform between -half and half. */
function uniformBiasFactor(half) {
  return sineOverItself(2 * half);
}

/* Of the sine of a phase whose weighted sum is normal with variance q. */
function sineMeanSquare(q, s) {
  return (1 - s * Math.exp(-2 * q)) / 2;
}

function nextVariance(q, s, c) {
  return (c * c / 3) * sineMeanSquare(q, s);
}

function gradientFactor(q, s, c) {
  return (c * c / 3) * (1 - sineMeanSquare(q, s));
}

/* The q that nextVariance leaves unchanged. Below it the map leads up, above it down; it
   is 0 where the map leads down everywhere. */
function fixedPoint(s, c) {
  let low = 0, high = c * c / 1.5;
  for (let halving = 0; halving < 100; halving++) {
    const q = (low + high) / 2;
    if (nextVariance(q, s, c) > q) low = q;
    else high = q;
  }
  return low;
}
