import { expect, it } from "vitest";
import { Bytes } from "./encoder.js";

it("bytes are kept in order while their memory grows, numbers from 128 on in several of them", () => {
  const bytes = new Bytes(1);
  const expected: number[] = [];
  for (const value of [0, 1, 127, 128, 300, 16_384]) {
    bytes.byte(7).pair(0xfd, value).word(value, 2);
    const word = [value & 0xff, value >> 8, 0, 0];
    const low = (value & 0x7f) | 0x80;
    const number = value < 128 ? [value] : value < 16_384 ? [low, value >> 7] : [0x80, 0x80, 1];
    expected.push(7, 0xfd, ...number, ...word, ...word);
  }
  expect([...bytes.view()]).toEqual(expected);
});
