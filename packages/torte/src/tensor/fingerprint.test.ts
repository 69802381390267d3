import fc from "fast-check";
import { expect, it } from "vitest";
import { drawn } from "../testing/arbitrary.js";
import { fingerprint } from "./fingerprint.js";
import { Tensor, tensor } from "./tensor.js";

const numbers = fc.float32Array({ minLength: 1, maxLength: 40 });

it("is the same for the same contents, wherever they lie", () => {
  fc.assert(
    fc.property(numbers, fc.nat(5), (data, before) => {
      const other = new Float32Array(data.length + before);
      other.set(data, before);
      expect(fingerprint(tensor(data))).toBe(fingerprint(tensor(other.subarray(before))));
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).map((byte) => byte & 1);
      const moved = new Uint8Array(bytes.length + before);
      moved.set(bytes, before);
      const [here, there] = [bytes, moved.subarray(before)].map((all) => new Tensor(all, [all.length], "bool"));
      expect(fingerprint(here!)).toBe(fingerprint(there!));
    }),
    drawn(200),
  );
});

it("tells any change of words, their order, signs, number, shape and dtype", () => {
  fc.assert(
    fc.property(numbers, fc.nat(), fc.nat(31), (data, at, bit) => {
      const before = fingerprint(tensor(data));
      const flipped = data.slice();
      const words = new Int32Array(flipped.buffer);
      words[at % words.length]! ^= 1 << bit;
      expect(fingerprint(tensor(flipped))).not.toBe(before);
      if (data.some((value) => !Object.is(value, -value)))
        expect(fingerprint(tensor(data.map((x) => -x)))).not.toBe(before);
      expect(fingerprint(tensor(Float32Array.of(...data, 0)))).not.toBe(before);
      expect(fingerprint(tensor(data, { shape: [1, data.length] }))).not.toBe(before);
      expect(
        fingerprint(new Tensor(new Int32Array(data.buffer.slice(data.byteOffset)), [data.length], "int32")),
      ).not.toBe(before);
      const turned = data.slice().reverse();
      const same = new Int32Array(turned.buffer).every((word, i) => word === new Int32Array(data.slice().buffer)[i]);
      if (!same) expect(fingerprint(tensor(turned))).not.toBe(before);
    }),
    drawn(500),
  );
});

it("tells changes of two words in one lane, such as two signs", () => {
  const data = Float32Array.from({ length: 64 }, (_, i) => i + 1);
  const seen = new Set([fingerprint(tensor(data))]);
  for (let i = 0; i < data.length; i++) {
    for (let j = i + 1; j < data.length; j++) {
      const changed = data.slice();
      changed[i]! *= -1;
      changed[j]! *= -1;
      seen.add(fingerprint(tensor(changed)));
    }
  }
  expect(seen.size).toBe(1 + (64 * 63) / 2);
});
