import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DataError, OptionError, ShapeError } from "../errors.js";
import { broadcastShapes, formatShape, sizeOf, stridesOf } from "./shape.js";
import { concatenate, type NestedArray, Tensor, tensor } from "./tensor.js";

const shapes = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 });

describe("tensor", () => {
  it("takes the shape of the nesting and gives it back", () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const data = Float32Array.from({ length: sizeOf(shape) }, (_, i) => i - 2);
        const nested = new Tensor(data, shape, "float32").toArray();
        const again = tensor(nested);
        expect(again.shape).toEqual(shape);
        expect(again.data).toEqual(data);
      }),
    );
  });

  it("chooses a dtype by what it is given", () => {
    expect(tensor(3)).toMatchObject({ shape: [], dtype: "float32" });
    expect(tensor([true, false])).toMatchObject({ shape: [2], dtype: "bool", data: new Uint8Array([1, 0]) });
    expect(tensor(new Uint8Array([0, 255])).dtype).toBe("uint8");
    expect(tensor(new Int8Array([-128, 127])).dtype).toBe("int8");
    expect(tensor(new Float64Array([1.5]))).toMatchObject({ dtype: "float32", data: new Float32Array([1.5]) });
    expect(tensor([1, 2], { dtype: "int32" }).data).toEqual(new Int32Array([1, 2]));
    expect(tensor([[], []]).shape).toEqual([2, 0]);
  });

  it("keeps a typed array of its own dtype and takes a shape", () => {
    const data = new Float32Array(6);
    const made = tensor(data, { shape: [2, 3] });
    expect(made.data).toBe(data);
    expect(made.toArray()).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ]);
  });

  it.each<[NestedArray, string]>([
    [
      [[1, 2], [3]],
      "tensor: nested arrays are ragged: expected 2 elements at depth 1, as before. Pad the shorter rows.",
    ],
    [[1, [2]], "tensor: nested arrays are ragged: expected numbers at depth 1, as before. Pad the shorter rows."],
    [[[1], 2], "tensor: nested arrays are ragged: expected 1 elements at depth 1, as before. Pad the shorter rows."],
    [[[], [1]], "tensor: nested arrays are ragged: expected 0 elements at depth 1, as before. Pad the shorter rows."],
  ])("refuses ragged %j", (values, message) => {
    expect(() => tensor(values)).toThrow(ShapeError);
    expect(() => tensor(values)).toThrow(message);
  });

  it("refuses what does not fit", () => {
    expect(() => tensor([1.5], { dtype: "int32" })).toThrow(
      "tensor: element 0 is no int32: expected whole numbers, received 1.5.",
    );
    expect(() => tensor(new Uint32Array([2 ** 32 - 1]))).toThrow(DataError);
    expect(() => tensor([0, 2], { dtype: "bool" })).toThrow(
      "tensor: element 1 is no bool: expected 0, 1, false or true, received 2.",
    );
    expect(() => tensor(["1"] as unknown as number[])).toThrow('received "1"');
    expect(() => tensor(null as unknown as number)).toThrow(DataError);
    expect(() => tensor([1], { shpe: [1] } as object)).toThrow('Did you mean "shape"?');
    expect(() => tensor([1], { dtype: "int64" as "int32" })).toThrow(OptionError);
    expect(() => tensor([1, 2], { shape: [3] })).toThrow(
      "tensor: data does not fill the shape: expected 3 elements for (3,), received 2.",
    );
    for (const shape of [[-1], [1.5], [Infinity], [NaN]]) {
      expect(() => tensor([1], { shape })).toThrow("tensor: no shape: expected whole numbers of at least 0");
    }
  });
});

describe("rows, take and concatenate", () => {
  it("agree with arrays", () => {
    const rows = fc.tuple(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 3 }));
    fc.assert(
      fc.property(rows, fc.infiniteStream(fc.nat()), ([n, width], naturals) => {
        const t = tensor(
          Int32Array.from({ length: n * width }, (_, i) => i),
          { shape: [n, width] },
        );
        const all = t.toArray() as number[][];
        const [a = 0, b = 0] = naturals.take(2).map((k) => k % (n + 1));
        const [start, stop] = [Math.min(a, b), Math.max(a, b)];
        expect(t.rows(start, stop).toArray()).toEqual(all.slice(start, stop));
        const indices = [...naturals.take(5).map((k) => k % n)];
        expect(t.take(indices).toArray()).toEqual(indices.map((i) => all[i]));
        expect(concatenate([t.rows(0, start), t.rows(start, n)]).toArray()).toEqual(all);
      }),
    );
  });

  it("refuse rows that are not there and tensors that differ", () => {
    const t = tensor([[1], [2]]);
    expect(() => t.rows(1, 3)).toThrow(
      "rows: rows are out of range: expected 0 ≤ start ≤ stop ≤ 2 for (2, 1), received 1 to 3.",
    );
    expect(() => t.take([-1])).toThrow("take: row is out of range: expected 0 to 1, received -1.");
    expect(() => concatenate([t, tensor([[1, 2]])])).toThrow(
      "concatenate: tensors differ in more than their first axis: expected float32(None, 1), received float32(1, 2).",
    );
    expect(() => concatenate([])).toThrow(ShapeError);
  });
});

describe("shapes", () => {
  it("broadcast as the elements do", () => {
    fc.assert(
      fc.property(shapes, fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), fc.nat(4), (shape, ones, drop) => {
        const other = shape.map((n, i) => (ones[i] === true ? 1 : n)).slice(Math.min(drop, shape.length));
        expect(broadcastShapes(shape, other)).toEqual(shape);
        expect(broadcastShapes(other, shape)).toEqual(shape);
      }),
    );
    expect(() => broadcastShapes([2, 3], [2])).toThrow(ShapeError);
  });

  it("have row-major strides and print as in Python", () => {
    expect(stridesOf([2, 3, 4])).toEqual([12, 4, 1]);
    expect(stridesOf([])).toEqual([]);
    expect([[], [3], [2, 3], [null, 4]].map(formatShape)).toEqual(["()", "(3,)", "(2, 3)", "(None, 4)"]);
  });
});
