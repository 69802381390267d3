import { describe, expect, it } from "vitest";
import { tensor } from "../tensor/tensor.js";
import { formatSafetensors, parseSafetensors } from "./safetensors.js";

const TENSORS = {
  "dense.kernel": tensor([
    [1.5, -2],
    [3, 0.25],
  ]),
  tokens: tensor([1, -2, 3], { dtype: "int32" }),
  flags: tensor([true, false]),
  exact: tensor([Math.PI], { dtype: "float64" }),
};

describe("safetensors", () => {
  it("gives back what it was given", () => {
    const { tensors, metadata } = parseSafetensors(formatSafetensors(TENSORS, { name: "test" }));
    expect(metadata).toEqual({ name: "test" });
    expect(tensors).toEqual(TENSORS);
  });

  it("writes the format's bytes", () => {
    const bytes = formatSafetensors({ a: tensor([1]) });
    const header = '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}';
    const padded = header.padEnd(56);
    expect([...bytes.subarray(0, 8)]).toEqual([56, 0, 0, 0, 0, 0, 0, 0]);
    expect(new TextDecoder().decode(bytes.subarray(8, 64))).toBe(padded);
    expect([...bytes.subarray(64)]).toEqual([0, 0, 128, 63]);
  });

  it("names a file that is cut short", () => {
    const bytes = formatSafetensors(TENSORS);
    expect(() => parseSafetensors(bytes.subarray(0, 5), "m.safetensors")).toThrow(
      "m.safetensors: the file is cut short, or no safetensors file.",
    );
    expect(() => parseSafetensors(bytes.subarray(0, bytes.length - 1), "m.safetensors")).toThrow(
      "m.safetensors: exact: the file is cut short or corrupt: expected 8 bytes.",
    );
  });

  it("names a header or a type that it cannot read", () => {
    const withHeader = (text: string): Uint8Array => {
      const bytes = new Uint8Array(8 + text.length);
      new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
      bytes.set(new TextEncoder().encode(text), 8);
      return bytes;
    };
    expect(() => parseSafetensors(withHeader("[]"))).toThrow(
      "safetensors: the header cannot be read: expected a JSON object.",
    );
    expect(() => parseSafetensors(withHeader('{"a":{}}'))).toThrow(
      "safetensors: a: the header cannot be read: expected dtype, shape and data_offsets.",
    );
    expect(() => parseSafetensors(withHeader('{"a":{"dtype":"BF16","shape":[0],"data_offsets":[0,0]}}'))).toThrow(
      "safetensors: a: the type is not supported: expected F32, F64, I32, BOOL, received BF16.",
    );
  });
});
