/** Symmetric positive definite matrices in float64, row after row in one array; n is their order. */

/** Σ a[i + k]·b[j + k] for k < count. */
export function dot(a: Float64Array, i: number, b: Float64Array, j: number, count: number): number {
  // Four sums, so that no addition waits for the one before it.
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let k = 0;
  for (; k + 3 < count; k += 4) {
    s0 += (a[i + k] as number) * (b[j + k] as number);
    s1 += (a[i + k + 1] as number) * (b[j + k + 1] as number);
    s2 += (a[i + k + 2] as number) * (b[j + k + 2] as number);
    s3 += (a[i + k + 3] as number) * (b[j + k + 3] as number);
  }
  for (; k < count; k++) s0 += (a[i + k] as number) * (b[j + k] as number);
  return s0 + s1 + (s2 + s3);
}

/** The lower triangle L of A = L·Lᵀ, in place; what is above the diagonal stays as it is. False where A is not definite. */
export function cholesky(a: Float64Array, n: number): boolean {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      a[i * n + j] = ((a[i * n + j] as number) - dot(a, i * n, a, j * n, j)) / (a[j * n + j] as number);
    }
    const square = (a[i * n + i] as number) - dot(a, i * n, a, i * n, i);
    if (!(square > 0)) return false;
    a[i * n + i] = Math.sqrt(square);
  }
  return true;
}

/** L·x = b, in place. */
export function solveLower(lower: Float64Array, n: number, b: Float64Array): void {
  for (let i = 0; i < n; i++) b[i] = ((b[i] as number) - dot(lower, i * n, b, 0, i)) / (lower[i * n + i] as number);
}

/** Lᵀ·x = b, in place; Lᵀ row after row. */
export function solveUpper(upper: Float64Array, n: number, b: Float64Array): void {
  for (let i = n - 1; i >= 0; i--)
    b[i] = ((b[i] as number) - dot(upper, i * n + i + 1, b, i + 1, n - i - 1)) / (upper[i * n + i] as number);
}

/** Lᵀ of a lower triangle. */
export function transposed(lower: Float64Array, n: number): Float64Array {
  const upper = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) upper[j * n + i] = lower[i * n + j] as number;
  return upper;
}

/** The lower triangle of A⁻¹, from L. */
export function inverse(lower: Float64Array, n: number): Float64Array {
  const columns = new Float64Array(n * n); // row i is column i of L⁻¹
  for (let i = 0; i < n; i++) {
    columns[i * n + i] = 1 / (lower[i * n + i] as number);
    for (let k = i + 1; k < n; k++)
      columns[i * n + k] = -dot(lower, k * n + i, columns, i * n + i, k - i) / (lower[k * n + k] as number);
  }
  const result = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) result[i * n + j] = dot(columns, i * n + i, columns, j * n + i, n - i);
  return result;
}
