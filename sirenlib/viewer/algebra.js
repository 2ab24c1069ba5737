/* needs: */
/* Products of matrices and the sine, in plain typed arrays. A matrix of r rows and c
   columns is one array, row by row. Blocks of results are kept in variables, since
   memory is what takes the time. One function for both, with steps for rows and columns,
   takes a quarter longer. */

/* C = A B^T, with A (rows, inner) and B (columns, inner). */
function timesTransposed(A, B, C, rows, columns, inner) {
  const fourRows = rows - (rows % 4);
  const twoColumns = columns - (columns % 2);
  for (let i = 0; i < fourRows; i += 4) {
    const a0 = i * inner, a1 = a0 + inner, a2 = a1 + inner, a3 = a2 + inner;
    for (let j = 0; j < twoColumns; j += 2) {
      const b0 = j * inner, b1 = b0 + inner;
      let c00 = 0, c01 = 0, c10 = 0, c11 = 0, c20 = 0, c21 = 0, c30 = 0, c31 = 0;
      for (let k = 0; k < inner; k++) {
        const x = B[b0 + k], y = B[b1 + k];
        const p = A[a0 + k], q = A[a1 + k], r = A[a2 + k], s = A[a3 + k];
        c00 += p * x; c01 += p * y;
        c10 += q * x; c11 += q * y;
        c20 += r * x; c21 += r * y;
        c30 += s * x; c31 += s * y;
      }
      const c0 = i * columns + j, c1 = c0 + columns, c2 = c1 + columns, c3 = c2 + columns;
      C[c0] = c00; C[c0 + 1] = c01;
      C[c1] = c10; C[c1 + 1] = c11;
      C[c2] = c20; C[c2 + 1] = c21;
      C[c3] = c30; C[c3 + 1] = c31;
    }
  }
  // What the blocks leave over: the last columns, and the last rows.
  for (let i = 0; i < rows; i++) {
    for (let j = i < fourRows ? twoColumns : 0; j < columns; j++) {
      let sum = 0;
      for (let k = 0; k < inner; k++) sum += A[i * inner + k] * B[j * inner + k];
      C[i * columns + j] = sum;
    }
  }
}

/* C = A^T B, with A (inner, rows) and B (inner, columns). */
function transposedTimes(A, B, C, rows, columns, inner) {
  const fourRows = rows - (rows % 4);
  const twoColumns = columns - (columns % 2);
  for (let i = 0; i < fourRows; i += 4) {
    for (let j = 0; j < twoColumns; j += 2) {
      let c00 = 0, c01 = 0, c10 = 0, c11 = 0, c20 = 0, c21 = 0, c30 = 0, c31 = 0;
      for (let k = 0, a = i, b = j; k < inner; k++, a += rows, b += columns) {
        const x = B[b], y = B[b + 1];
        const p = A[a], q = A[a + 1], r = A[a + 2], s = A[a + 3];
        c00 += p * x; c01 += p * y;
        c10 += q * x; c11 += q * y;
        c20 += r * x; c21 += r * y;
        c30 += s * x; c31 += s * y;
      }
      const c0 = i * columns + j, c1 = c0 + columns, c2 = c1 + columns, c3 = c2 + columns;
      C[c0] = c00; C[c0 + 1] = c01;
      C[c1] = c10; C[c1 + 1] = c11;
      C[c2] = c20; C[c2 + 1] = c21;
      C[c3] = c30; C[c3 + 1] = c31;
    }
  }
  for (let i = 0; i < rows; i++) {
    for (let j = i < fourRows ? twoColumns : 0; j < columns; j++) {
      let sum = 0;
      for (let k = 0; k < inner; k++) sum += A[k * rows + i] * B[k * columns + j];
      C[i * columns + j] = sum;
    }
  }
}

/* B = A^T, with A (rows, columns). */
function transposeInto(A, B, rows, columns) {
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) B[j * rows + i] = A[i * columns + j];
  }
}
