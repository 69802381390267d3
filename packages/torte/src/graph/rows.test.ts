import { describe, expect, it } from "vitest";
import * as ops from "../ops/index.js";
import { read } from "./make.js";
import { type Node, State } from "./node.js";
import { rowsAreIndependent, type TracedRows } from "./rows.js";

type Make = (x: Node, tokens: Node) => Node;

const table = new State("table", [5, 4], "float32");

/** Rows of (6, 4) floats and of 6 tokens. */
function traced(rows: number, make: Make): TracedRows {
  const data = [new State("x", [rows, 6, 4], "float32"), new State("tokens", [rows, 6], "int32")] as const;
  return { rows, data, results: [make(read(data[0]), read(data[1]))] };
}

const independent = (make: Make): boolean => rowsAreIndependent(traced(2, make), traced(3, make));

const SIDES = [
  [0, 0],
  [1, 1],
  [0, 0],
] as const;
const WINDOW = { axis: 1, size: [3], stride: [2], dilation: [1] };

const INDEPENDENT: Readonly<Record<string, Make>> = {
  elementwise: (x) => ops.add(ops.exp(x), 1),
  "a mean within the row": (x) => ops.sub(x, ops.mean(x, { axes: [1], keepDims: true })),
  softmax: (x) => ops.softmax(x),
  "a product": (x) => ops.einsum("blc,tc->btl", x, read(table)),
  "a product of two things of the row": (x) => ops.einsum("blc,bmc->blm", x, x),
  "a lookup": (_, tokens) => ops.gather(read(table), tokens),
  counts: (x, tokens) => ops.scatterAdd(tokens, x, 5, 1),
  "steps as a batch, and back": (x) => ops.reshape(ops.relu(ops.reshape(x, [-1, 4])), x.shape),
  "rows as the last axis, and back": (x) => ops.transpose(ops.relu(ops.transpose(x, [1, 2, 0])), [2, 0, 1]),
  "one axis of everything, and back": (x) => ops.reshape(ops.mul(ops.reshape(x, [-1]), 2), x.shape),
  "steps before rows in one axis, and back": (x) => {
    const flat = ops.reshape(ops.transpose(x, [1, 0, 2]), [-1, 4]);
    return ops.transpose(ops.reshape(ops.relu(flat), [6, -1, 4]), [1, 0, 2]);
  },
  positions: (x) => ops.add(x, ops.cast(ops.iota(x.shape, 1), "float32")),
  "padding and windows of steps": (x) => ops.windows(ops.pad(x, SIDES), WINDOW),
  "windows added up again": (x) => ops.fold(ops.windows(x, WINDOW), { ...WINDOW, lengths: [6] }),
  "slices, turned around and joined": (x) => ops.concat([ops.reverse(ops.slice(x, 1, 2), [1]), x], 1),
  "a choice": (x, tokens) => ops.where(ops.less(ops.expandDims(tokens, -1), 2), x, 0),
  "a maximum and its place": (x) =>
    ops.add(ops.max(x, { axes: [1, 2] }), ops.cast(ops.argmax(x, { axes: [1, 2] }), "float32")),
  "a row's number": (x) => ops.add(x, ops.cast(ops.iota(x.shape, 0), "float32")),
  "a mix of steps": (x) => ops.linearMap(x, 1, [[1, 0, 0, 0, 0, 1]], 2),
};

const DEPENDENT: Readonly<Record<string, Make>> = {
  "a mean of the batch": (x) => ops.sub(x, ops.mean(x, { axes: [0], keepDims: true })),
  "a sum of the batch": (x) => ops.add(x, ops.sum(x, { axes: [0], keepDims: true })),
  "the largest of all": (x) => ops.div(x, ops.max(x)),
  "softmax over the batch": (x) => ops.softmax(x, 0),
  "the place of a maximum in the batch": (x) => ops.add(x, ops.cast(ops.argmax(x, { axes: [0] }), "float32")),
  "the rows turned around": (x) => ops.reverse(x, [0]),
  "the row before": (x) =>
    ops.slice(
      ops.pad(x, [
        [1, 0],
        [0, 0],
        [0, 0],
      ]),
      0,
      0,
      -1,
    ),
  "the first row": (x) => ops.add(x, ops.slice(x, 0, 0, 1)),
  "a row that is looked up": (x, tokens) => ops.slice(ops.gather(x, ops.mul(tokens, 0)), 1, 0, 1),
  "a product over the batch": (x) =>
    ops.add(x, ops.einsum("blc,bmc->lm", x, x).shape[0] === 6 ? ops.sum(ops.einsum("blc,bmc->lm", x, x)) : 0),
  "each row with each": (x) => ops.sum(ops.einsum("blc,alc->ba", x, x), { axes: [1] }),
  "their number": (x) => ops.mul(x, 1 / (x.shape[0] ?? 1)),
  "their number, counted": (x) =>
    ops.div(x, ops.sum(ops.constant(1, [x.shape[0] ?? 1, 1, 1]), { axes: [0], keepDims: true })),
  "their number as a width": (x) => ops.sum(ops.slice(x, 1, 0, x.shape[0]), { axes: [1, 2] }),
  "rows that are read as others": (x) => ops.reshape(ops.relu(ops.transpose(x, [1, 0, 2])), x.shape),
  "a histogram of the batch": (x, tokens) => ops.add(x, ops.sum(ops.scatterAdd(tokens, x, 5))),
  "windows over rows": (x) =>
    ops.sum(
      ops.windows(
        ops.pad(x, [
          [1, 0],
          [0, 0],
          [0, 0],
        ]),
        { axis: 0, size: [2], stride: [1], dilation: [1] },
      ),
      { axes: [1] },
    ),
  "another operation for some sizes": (x) => (x.shape[0] === 2 ? ops.exp(x) : ops.tanh(x)),
  "rows that are joined": (x) => ops.slice(ops.concat([x, x], 0), 0, 0, x.shape[0]),
};

describe("rows are independent:", () => {
  it.each(Object.keys(INDEPENDENT))("%s", (title) => {
    expect(independent(INDEPENDENT[title]!)).toBe(true);
  });
});

describe("rows are not independent:", () => {
  it.each(Object.keys(DEPENDENT))("%s", (title) => {
    expect(independent(DEPENDENT[title]!)).toBe(false);
  });
});
