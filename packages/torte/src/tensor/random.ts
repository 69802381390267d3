/**
 * Counter-based random numbers: number i of a stream is a function of (seed, stream, step, i), so it does not matter who
 * draws it, or when. All arithmetic is on 32-bit words, as the compiled program repeats it in vectors:
 *
 *   mix(x):     x ^= x >>> 16;  x *= 0x7feb352d;  x ^= x >>> 15;  x *= 0x846ca68b;  x ^= x >>> 16
 *   k0        = mix(seed ^ mix(stream + 0x9e3779b9) + step · 0x85ebca6b),   k1 = mix(k0 + 0xc2b2ae35)
 *   bits(i)   = mix(mix(i ^ k0) + k1),   uniform(i) = (bits(i) >>> 8) · 2⁻²⁴
 *
 * `mix` is C. Wellons's lowbias32; its bias is below 0.2 bits in the strict avalanche test.
 */
import { atOnce } from "../turns.js";

export const MIX = {
  first: 0x7feb352d,
  second: 0x846ca68b | 0,
  stream: 0x9e3779b9 | 0,
  step: 0x85ebca6b | 0,
  key: 0xc2b2ae35 | 0,
};

export function mix(word: number): number {
  let x = word;
  x ^= x >>> 16;
  x = Math.imul(x, MIX.first);
  x ^= x >>> 15;
  x = Math.imul(x, MIX.second);
  return x ^ (x >>> 16);
}

/** The pair of words that a stream's numbers are drawn with. */
export type Key = readonly [number, number];

/** The key of a stream at a step, from a seed. */
export function mixKey(seed: number, stream: number, step: number): Key {
  const k0 = mix((seed ^ mix((stream + MIX.stream) | 0)) + Math.imul(step, MIX.step));
  return [k0, mix((k0 + MIX.key) | 0)];
}

/** The random bits at a position, from a key: a function of both. */
export const bits = ([k0, k1]: Key, i: number): number => mix((mix(i ^ k0) + k1) | 0) >>> 0;

/** In [0, 1), a multiple of 2⁻²⁴. */
export const uniformAt = (key: Key, i: number): number => (bits(key, i) >>> 8) * 2 ** -24;

/** 32 bits of a name, for streams (FNV-1a). */
export function hashName(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash | 0;
}

/** Number i of a standard normal, by Box and Muller; the key's draws 2i and 2i + 1. */
export function normalAt(key: Key, i: number): number {
  const radius = Math.sqrt(-2 * Math.log(1 - uniformAt(key, 2 * i)));
  return radius * Math.cos(2 * Math.PI * uniformAt(key, 2 * i + 1));
}

/**
 * Whole numbers in [0, bound), drawn one after the other from the key's stream. Draws beyond the largest multiple of the
 * bound are thrown away, so that no number is favoured.
 */
export function boundedDraws(key: Key): (bound: number) => number {
  let counter = 0;
  return (bound) => {
    const limit = 2 ** 32 - (2 ** 32 % bound);
    let draw = bits(key, counter++);
    while (draw >= limit) draw = bits(key, counter++);
    return draw % bound;
  };
}

/** Fisher and Yates, in place. */
export const shuffle = (values: Int32Array, key: Key): Int32Array => atOnce(shuffling(values, key));

/** The same, in steps. */
export function* shuffling(values: Int32Array, key: Key): Generator<undefined, Int32Array> {
  const below = boundedDraws(key);
  for (let i = values.length - 1; i > 0; i--) {
    const j = below(i + 1);
    const held = values[i] ?? 0;
    values[i] = values[j] ?? 0;
    values[j] = held;
    if (i % 16384 === 0) yield;
  }
  return values;
}
