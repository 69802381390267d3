/**
 * A column of data in the engine's memory, and its rows as a step sees them. Columns of bytes lie there as bytes, four to a word of
 * 32 bits: a step takes apart the words of its rows.
 */
import type { Write } from "../backends/backend.js";
import { constant, iota, read } from "../graph/make.js";
import { type Node, State } from "../graph/node.js";
import * as ops from "../ops/index.js";
import { type ByteDType, computedAs, type DType, isByteDType } from "../tensor/dtype.js";
import { sameShape, type Shape, sizeOf } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";

export interface Column {
  /** What lies in memory. */
  readonly state: State;
  /** Of the rows as a step sees them, and their number before. */
  readonly shape: Shape;
  readonly dtype: DType;
  /** What the bytes are that the words are made of; undefined where each number is a word. */
  readonly bytes: ByteDType | undefined;
}

/** Bytes in a word. */
const BYTES = 4;

/** Bytes are put together where there is a word of them in each row. */
const bytesOf = ({ dtype, shape }: Tensor): ByteDType | undefined =>
  isByteDType(dtype) && sizeOf(shape.slice(1)) >= BYTES ? dtype : undefined;

/** Room for so many rows like these; `dtype` is what a step takes them for, by default what they are. */
export function columnFor(name: string, tensor: Tensor, rows: number, dtype = computedAs(tensor.dtype)): Column {
  const row = tensor.shape.slice(1);
  const [bytes, shape] = [bytesOf(tensor), [rows, ...row]];
  if (bytes === undefined) return { state: new State(name, shape, dtype), shape, dtype, bytes };
  return { state: new State(name, [rows, Math.ceil(sizeOf(row) / BYTES)], "int32"), shape, dtype, bytes };
}

/** Whether a column has room for the rows, as they would lie there. */
export const holds = ({ shape, dtype, bytes }: Column, tensor: Tensor, rows: number, wanted?: DType): boolean =>
  dtype === (wanted ?? computedAs(tensor.dtype)) &&
  bytes === bytesOf(tensor) &&
  sameShape(shape.slice(1), tensor.shape.slice(1)) &&
  (shape[0] ?? 0) >= rows;

/** What puts rows in place, from `firstRow` on. */
export function writeOf({ state, bytes }: Column, value: Tensor, firstRow: number): Write {
  const from = firstRow * sizeOf(state.shape.slice(1));
  return { state, value: bytes === undefined ? value : inWords(value, state.shape[1] ?? 0), from };
}

/** The first byte of a word is its lowest. */
function inWords({ data, shape }: Tensor, words: number): Tensor {
  const rows = shape[0] ?? 0;
  const row = sizeOf(shape.slice(1));
  const packed = new Int32Array(rows * words);
  for (let r = 0, at = 0; r < rows; r++)
    for (let i = 0; i < row; i += BYTES, at++) {
      let word = 0;
      for (let k = Math.min(BYTES, row - i); k-- > 0;) word = (word << 8) | ((data[r * row + i + k] ?? 0) & 255);
      packed[at] = word;
    }
  return new Tensor(packed, [rows, words], "int32");
}

/** The rows with these numbers. */
export function rowsAt(column: Column, numbers: Node): Node {
  const { state, shape, dtype, bytes } = column;
  const rows = ops.gather(read(state), numbers);
  if (bytes === undefined) return rows;
  const [batch = 1, words = 1] = rows.shape;
  // Byte k of a word comes to the top, and from there down with its sign.
  const place = iota([BYTES], 0);
  const up = [2 ** 24, 2 ** 16, 2 ** 8, 1]
    .map((factor) => constant(factor, [BYTES], "int32"))
    .reduceRight((others, factor, k) => ops.where(ops.equal(place, k), factor, others));
  const signed = ops.shiftRight(ops.mul(ops.expandDims(rows, 2), up), 24);
  const values = bytes === "uint8" ? ops.where(ops.less(signed, 0), ops.add(signed, 256), signed) : signed;
  const flat = ops.slice(ops.reshape(values, [batch, words * BYTES]), 1, 0, sizeOf(shape.slice(1)));
  return ops.cast(ops.reshape(flat, [batch, ...shape.slice(1)]), dtype);
}
