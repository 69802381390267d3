/** Short words that tell whether the contents of a tensor have changed. */
import type { TypedArray } from "./dtype.js";
import type { Tensor } from "./tensor.js";

const [FIRST, SECOND, THIRD, FOURTH] = [0x9e3779b1 | 0, 0x85ebca77 | 0, 0xc2b2ae3d | 0, 0x27d4eb2f | 0];

/**
 * Shape, dtype and 192 bits of the contents. Four lanes go over the words as in xxHash (each step is a bijection both of the
 * lane and of the word, so that a change of one word never goes unseen), and two more over the lanes. Takes less time than
 * copying the data.
 */
export function fingerprint({ data, shape, dtype }: Tensor): string {
  return `${dtype}(${shape.join()}) ${mixed(wordsOf(data)).join()}`;
}

/** The bytes in words of 32 bits; the last one is filled up with zeros. */
function wordsOf(data: TypedArray): Int32Array {
  if (data.byteOffset % 4 === 0 && data.byteLength % 4 === 0)
    return new Int32Array(data.buffer, data.byteOffset, data.byteLength / 4);
  const bytes = new Uint8Array(4 * Math.ceil(data.byteLength / 4));
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return new Int32Array(bytes.buffer);
}

/** A loop over words of one kind of array, which runs without boxes and calls. */
function mixed(words: Int32Array): number[] {
  let [a, b, c, d] = [FIRST, SECOND, THIRD, FOURTH];
  let [e, f] = [1, 2];
  for (let i = 0; i < words.length; i += 4) {
    a = (a + Math.imul(words[i] ?? 0, SECOND)) | 0;
    a = Math.imul((a << 13) | (a >>> 19), FIRST);
    b = (b + Math.imul(words[i + 1] ?? 0, SECOND)) | 0;
    b = Math.imul((b << 13) | (b >>> 19), FIRST);
    c = (c + Math.imul(words[i + 2] ?? 0, SECOND)) | 0;
    c = Math.imul((c << 13) | (c >>> 19), FIRST);
    d = (d + Math.imul(words[i + 3] ?? 0, SECOND)) | 0;
    d = Math.imul((d << 13) | (d >>> 19), FIRST);
    e = Math.imul(((e << 15) | (e >>> 17)) ^ (a + ((b << 7) | (b >>> 25))), THIRD);
    f = Math.imul(((f << 15) | (f >>> 17)) ^ (c + ((d << 7) | (d >>> 25))), FOURTH);
  }
  return [a, b, c, d, e, f];
}
