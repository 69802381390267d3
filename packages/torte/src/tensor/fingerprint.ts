/** Short words that tell whether the contents of a tensor have changed. */
import type { TypedArray } from "./dtype.js";
import { atOnce } from "../turns.js";
import type { Tensor } from "./tensor.js";

const [FIRST, SECOND, THIRD, FOURTH] = [0x9e3779b1 | 0, 0x85ebca77 | 0, 0xc2b2ae3d | 0, 0x27d4eb2f | 0];
/** Words that the loop takes at a time. */
const WORDS = 8;

/**
 * Shape, dtype and 192 bits of the contents. Four lanes go over the words, each step a rotation and a multiplication as in xxHash
 * (a bijection both of the lane and of the word, so that a change of one word never goes unseen), and two more over the lanes.
 */
export const fingerprint = (tensor: Tensor): string => atOnce(fingerprinting(tensor));

/** The same, in steps. */
export function* fingerprinting({ data, shape, dtype }: Tensor): Generator<undefined, string> {
  const lanes = yield* mixed(data);
  return `${dtype}(${shape.join()}) ${lanes.join()}`;
}

/** The bytes in words of 32 bits, a multiple of eight of them: those of the array, and the rest, filled up with zeros. */
function wordsOf(data: TypedArray): Int32Array[] {
  const whole = data.byteOffset % 4 === 0 ? data.byteLength - (data.byteLength % (4 * WORDS)) : 0;
  const rest = new Uint8Array(4 * WORDS * Math.ceil((data.byteLength - whole) / (4 * WORDS)));
  rest.set(new Uint8Array(data.buffer, data.byteOffset + whole, data.byteLength - whole));
  return [new Int32Array(data.buffer, whole === 0 ? 0 : data.byteOffset, whole / 4), new Int32Array(rest.buffer)];
}

/** Words in a call of `mix`: many short calls reach V8's best code sooner, and keep it, where one long loop is left again and again. */
const BLOCK = 4096;
/** Calls in a step, a fraction of a millisecond. */
const STEP = 16;

function* mixed(data: TypedArray): Generator<undefined, Int32Array> {
  const lanes = Int32Array.of(FIRST, SECOND, THIRD, FOURTH, 1, 2);
  for (const words of wordsOf(data))
    for (let i = 0; i < words.length; i += BLOCK) {
      mix(words, i, Math.min(words.length, i + BLOCK), lanes);
      if (i % (STEP * BLOCK) === (STEP - 1) * BLOCK) yield;
    }
  return lanes;
}

/** A loop over words of one kind of array, which runs without boxes and calls. */
function mix(words: Int32Array, from: number, to: number, lanes: Int32Array): void {
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = lanes;
  for (let i = from; i < to; i += WORDS) {
    a = Math.imul(((a << 13) | (a >>> 19)) ^ (words[i] ?? 0), FIRST);
    b = Math.imul(((b << 13) | (b >>> 19)) ^ (words[i + 1] ?? 0), FIRST);
    c = Math.imul(((c << 13) | (c >>> 19)) ^ (words[i + 2] ?? 0), FIRST);
    d = Math.imul(((d << 13) | (d >>> 19)) ^ (words[i + 3] ?? 0), FIRST);
    a = Math.imul(((a << 13) | (a >>> 19)) ^ (words[i + 4] ?? 0), SECOND);
    b = Math.imul(((b << 13) | (b >>> 19)) ^ (words[i + 5] ?? 0), SECOND);
    c = Math.imul(((c << 13) | (c >>> 19)) ^ (words[i + 6] ?? 0), SECOND);
    d = Math.imul(((d << 13) | (d >>> 19)) ^ (words[i + 7] ?? 0), SECOND);
    e = Math.imul(((e << 15) | (e >>> 17)) ^ (a + ((b << 7) | (b >>> 25))), THIRD);
    f = Math.imul(((f << 15) | (f >>> 17)) ^ (c + ((d << 7) | (d >>> 25))), FOURTH);
  }
  lanes.set([a, b, c, d, e, f]);
}
