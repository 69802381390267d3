import { describe, expect, it } from "vitest";
import { DataError } from "../errors.js";
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
      /^m\.safetensors: the file is cut short: expected \d+ bytes of data, received \d+\.$/,
    );
  });

  /** A file of a header's text and so many bytes of zeros. */
  const file = (header: string, bytes = 0): Uint8Array => {
    const text = new TextEncoder().encode(header);
    const whole = new Uint8Array(8 + text.length + bytes);
    new DataView(whole.buffer).setBigUint64(0, BigInt(text.length), true);
    whole.set(text, 8);
    return whole;
  };
  const entry = (dtype: string, shape: readonly number[], from: number, to: number): string =>
    JSON.stringify({ dtype, shape, data_offsets: [from, to] });

  it.each<[string, string, number, string]>([
    ["no object", "[]", 0, "safetensors: the header cannot be read: expected a JSON object, received []."],
    ["no JSON", "{", 0, "safetensors: header: this is no JSON"],
    ["an entry without fields", '{"a":{}}', 0, "safetensors: a: the header cannot be read: expected dtype, shape"],
    [
      "a shape that is none",
      `{"a":${entry("F32", [-1], 0, 4)}}`,
      4,
      "safetensors: a: the header cannot be read: expected dtype, shape",
    ],
    [
      "offsets that are fractions",
      `{"a":${entry("F32", [1], 0.5, 4.5)}}`,
      5,
      "safetensors: a: the header cannot be read: expected dtype, shape",
    ],
    [
      "three offsets",
      '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,4]}}',
      4,
      "safetensors: a: the header cannot be read: expected dtype, shape",
    ],
    [
      "an unknown type",
      `{"a":${entry("F8_E4M3", [0], 0, 0)}}`,
      0,
      'safetensors: a: the type is not supported: expected F64, F32, F16, BF16, I64, U64, I32, U32, I16, U16, I8, U8, BOOL, received "F8_E4M3".',
    ],
    [
      "a range of another size",
      `{"a":${entry("F32", [2], 0, 4)}}`,
      4,
      "safetensors: a: the range does not fit the shape: expected 8 bytes for (2,), received 4 (data_offsets 0 to 4).",
    ],
    ["a range backwards", `{"a":${entry("F32", [0], 4, 0)}}`, 4, "the range does not fit the shape"],
    [
      "sizes beyond all numbers",
      `{"a":${entry("F32", [2 ** 52, 2 ** 52, 2 ** 52], 0, 4)}}`,
      4,
      "the range does not fit the shape",
    ],
    [
      "overlaps",
      `{"a":${entry("F32", [2], 0, 8)},"b":${entry("F32", [1], 4, 8)}}`,
      8,
      "safetensors: b: the range overlaps another tensor's: expected data_offsets from 8, received 4.",
    ],
    [
      "one range for two",
      `{"a":${entry("F32", [2], 0, 8)},"b":${entry("F32", [2], 0, 8)}}`,
      8,
      "safetensors: b: the range overlaps another tensor's",
    ],
    [
      "a gap",
      `{"a":${entry("F32", [1], 0, 4)},"b":${entry("F32", [1], 8, 12)}}`,
      12,
      "safetensors: b: nothing describes the bytes before the tensor: expected data_offsets from 4, received 8.",
    ],
    [
      "a rest",
      `{"a":${entry("F32", [1], 0, 4)}}`,
      8,
      "safetensors: the file is longer than its header says: expected 4 bytes of data, received 8.",
    ],
    ["a range beyond", `{"a":${entry("F32", [2], 0, 8)}}`, 4, "safetensors: the file is cut short: expected 8 bytes"],
    [
      "one key twice",
      `{"a":${entry("F32", [1], 0, 4)},"a":${entry("F32", [1], 0, 4)}}`,
      4,
      'safetensors: header: the key "a" comes twice in one object.',
    ],
    [
      "one key twice, the second time in disguise",
      `{"a":${entry("F32", [1], 0, 4)},"\\u0061":${entry("F32", [1], 4, 8)}}`,
      8,
      'safetensors: header: the key "a" comes twice in one object.',
    ],
    [
      "a field twice",
      '{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
      4,
      'safetensors: header: the key "dtype" comes twice',
    ],
    [
      "metadata that are no texts",
      '{"__metadata__":{"a":1}}',
      0,
      "safetensors: __metadata__: the header cannot be read: expected texts by name, received { a: 1 }.",
    ],
    [
      "lists within lists",
      `{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`,
      0,
      "safetensors: header: the JSON is nested too deeply: expected at most 64 levels.",
    ],
    [
      "more axes than there are",
      `{"a":${entry("F32", Array<number>(65).fill(1), 0, 4)}}`,
      4,
      "safetensors: a: the header cannot be read: expected dtype, shape (at most 64 axes)",
    ],
    [
      "a byte that is neither true nor false",
      `{"a":${entry("BOOL", [4], 0, 4)}}`,
      4,
      "safetensors: a: element 3 does not fit bool: expected 0 or 1, received 7.",
    ],
  ])("is refused with %s", (what, header, length, message) => {
    const bytes = file(header, length);
    if (what.startsWith("a byte")) bytes[bytes.length - 1] = 7;
    expect(() => parseSafetensors(bytes)).toThrow(message);
    expect(() => parseSafetensors(bytes)).toThrow(DataError);
  });

  it("is refused with a header that is no UTF-8, or longer than the file", () => {
    const bytes = file('{"a":1}');
    bytes[10] = 0xff;
    expect(() => parseSafetensors(bytes)).toThrow(
      "safetensors: the header cannot be read: expected a JSON object, received bytes that are no UTF-8.",
    );
    const long = file("{}");
    new DataView(long.buffer).setBigUint64(0, 2n ** 63n, true);
    expect(() => parseSafetensors(long)).toThrow("the file is cut short, or no safetensors file");
  });

  it("holds tensors without elements, and metadata without texts", () => {
    const header = `{"__metadata__":{},"a":${entry("F32", [0, 2 ** 52], 0, 0)},"b":${entry("F32", [], 0, 4)},"c":${entry("F32", [3, 0], 4, 4)}}`;
    const { tensors, metadata } = parseSafetensors(file(header, 4));
    expect(Object.values(tensors).map(({ shape }) => shape)).toEqual([[0, 2 ** 52], [], [3, 0]]);
    expect(metadata).toEqual({});
  });

  it("takes any name for a name", () => {
    const names = ["__proto__", "constructor", "toString", "", "a/b.c", "größe", "\u001b[31mred", "0"];
    const given = Object.fromEntries(names.map((name, i) => [name, tensor([i])]));
    const bytes = formatSafetensors(given, Object.fromEntries(names.map((name) => [name, name])));
    const { tensors, metadata } = parseSafetensors(bytes);
    expect(Object.keys(tensors).sort()).toEqual([...names].sort());
    for (const [i, name] of names.entries()) {
      expect(Object.getOwnPropertyDescriptor(tensors, name)?.value).toEqual(tensor([i]));
      expect(Object.getOwnPropertyDescriptor(metadata, name)?.value).toBe(name);
    }
    expect(Object.getPrototypeOf(tensors)).toBe(Object.prototype);
  });

  it("does not let a name reach the terminal as it is", () => {
    const header = JSON.stringify({ "\u001b]0;owned\u0007\u009b2J\nError: fine\u202e": 1 });
    expect(() => parseSafetensors(file(header))).toThrow(
      "safetensors: \\u001b]0;owned\\u0007\\u009b2J\\nError: fine\\u202e: the header cannot be read",
    );
  });

  it("is not written with what no reader would take", () => {
    expect(() => formatSafetensors({ __metadata__: tensor([1]) })).toThrow(
      "formatSafetensors: a tensor cannot be called __metadata__. Give it another name.",
    );
    expect(() => formatSafetensors({}, { epoch: 3 } as never)).toThrow(
      'formatSafetensors: metadata "epoch" is no text: expected a text, received 3. Write it with JSON.stringify.',
    );
  });
});

describe("the types of other writers", () => {
  /** A file of one tensor of two elements. */
  const read = (dtype: string, elements: readonly number[], width: number): unknown => {
    const header = JSON.stringify({ a: { dtype, shape: [2], data_offsets: [0, 2 * width] } });
    const bytes = new Uint8Array(8 + header.length + 2 * width);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
    bytes.set(new TextEncoder().encode(header), 8);
    elements.forEach((bits, i) => {
      for (let byte = 0; byte < width; byte++)
        bytes[8 + header.length + i * width + byte] = byte < 4 ? bits >> (8 * byte) : bits < 0 ? 255 : 0;
    });
    const { data, dtype: type } = parseSafetensors(bytes).tensors["a"]!;
    return [type, ...data];
  };
  it.each<[string, number[], number, unknown[]]>([
    ["F16", [0x3c00, 0xc500], 2, ["float32", 1, -5]],
    ["F16", [0x0001, 0x7bff], 2, ["float32", 2 ** -24, 65504]],
    ["F16", [0x7c00, 0x7e00], 2, ["float32", Infinity, NaN]],
    ["BF16", [0x3f80, 0xc0a0], 2, ["float32", 1, -5]],
    ["BF16", [0xff80, 0x7fc0], 2, ["float32", -Infinity, NaN]],
    ["BF16", [0x7f7f, 0x0080], 2, ["float32", 3.3895313892515355e38, 2 ** -126]],
    ["I64", [7, -7], 8, ["int32", 7, -7]],
    ["U64", [7, 8], 8, ["int32", 7, 8]],
    ["U32", [7, 8], 4, ["int32", 7, 8]],
    ["I16", [7, -7], 2, ["int32", 7, -7]],
    ["U16", [7, 0xffff], 2, ["int32", 7, 65535]],
    ["I8", [7, -7], 1, ["int8", 7, -7]],
    ["U8", [7, 255], 1, ["uint8", 7, 255]],
  ])("%s %j", (dtype, elements, width, values) => {
    expect(read(dtype, elements, width)).toEqual(values);
  });
  it("are refused where an int32 does not hold the number", () => {
    expect(() => read("U32", [7, -1], 4)).toThrow(
      "safetensors: a: element 1 does not fit int32: expected -2147483648 to 2147483647, received 4294967295.",
    );
    expect(() => read("U64", [-1, 7], 8)).toThrow("element 0 does not fit int32");
  });
});
