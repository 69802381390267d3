/** Sobol's sequence: points that fill the unit cube evenly, plain or scrambled. */
import { Random } from "../random.js";
import { DIRECTIONS } from "./sobol-directions.js";

const BITS = 32;

/** Dimensions that the table has. */
export const MOST_DIMENSIONS = DIRECTIONS.length + 1;

/** Direction numbers of a dimension, from 0; the first bit of the point is the highest. */
function directionNumbers(dimension: number): Uint32Array {
  if (dimension === 0) return Uint32Array.from({ length: BITS }, (_, i) => 2 ** (BITS - 1 - i));
  const [polynomial = 1, ...first] = DIRECTIONS[dimension - 1] ?? [];
  const degree = first.length;
  const v = Uint32Array.from({ length: BITS }, (_, i) => (first[i] ?? 0) << (BITS - 1 - i));
  for (let i = degree; i < BITS; i++) {
    let value = (v[i - degree] as number) ^ ((v[i - degree] as number) >>> degree);
    for (let k = 1; k < degree; k++) if (((polynomial >>> (degree - k)) & 1) === 1) value ^= v[i - k] as number;
    v[i] = value;
  }
  return v;
}

function parity(word: number): number {
  let x = word;
  for (const shift of [16, 8, 4, 2, 1]) x ^= x >>> shift;
  return x & 1;
}

/** Each bit is changed by a random combination of the higher ones: a random lower triangular matrix over GF(2). */
function scrambled(v: Uint32Array, random: Random): Uint32Array {
  const masks = Array.from({ length: BITS }, (_, row) => {
    const own = 2 ** (BITS - 1 - row);
    const higher = row === 0 ? 0 : (0xffffffff << (BITS - row)) >>> 0;
    return ((random.word() & higher) | own) >>> 0;
  });
  return v.map((word) => masks.reduce((sum, mask, row) => sum + parity(word & mask) * 2 ** (BITS - 1 - row), 0));
}

/**
 * Points of Sobol's sequence in the order of Gray's code. With a seed, scrambled by a random linear map and a digital shift, which
 * keeps how evenly they lie: of 2ᵐ points in a row, beginning with a multiple of 2ᵐ, one is in each of 2ᵐ equal intervals of each coordinate.
 *
 * Source: S. Joe and F. Kuo, Constructing Sobol sequences with better two-dimensional projections (2008); J. Matoušek, On the
 * L2-discrepancy for anchored boxes (1998).
 */
export class SobolSequence {
  readonly #directions: readonly Uint32Array[];
  readonly #shifts: Uint32Array;

  constructor(dimensions: number, scramble?: { readonly seed: number; readonly number?: number }) {
    if (dimensions > MOST_DIMENSIONS) throw new RangeError(`at most ${MOST_DIMENSIONS} dimensions`);
    const random = scramble === undefined ? undefined : new Random(scramble.seed, "sobol", scramble.number ?? 0);
    this.#directions = Array.from({ length: dimensions }, (_, i) => {
      const v = directionNumbers(i);
      return random === undefined ? v : scrambled(v, random);
    });
    this.#shifts = Uint32Array.from({ length: dimensions }, () => random?.word() ?? 0);
  }

  /** Point i, below 2³². */
  point(i: number): Float64Array {
    const gray = (i ^ (i >>> 1)) >>> 0;
    return Float64Array.from(this.#directions, (v, dimension) => {
      let word = this.#shifts[dimension] as number;
      for (let bit = 0, left = gray; left !== 0; bit++, left >>>= 1) if ((left & 1) === 1) word ^= v[bit] as number;
      return (word >>> 0) * 2 ** -BITS;
    });
  }
}
