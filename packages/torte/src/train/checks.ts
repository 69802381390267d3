/** Data is checked before it reaches the engine. */
import { DataError, ShapeError } from "../errors.js";
import type { SymbolicTensor } from "../nn/layer.js";
import type { Network } from "../nn/network.js";
import { formatShape, sameShape, sizeOf } from "../tensor/shape.js";
import type { TypedArray } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Goal } from "./measure.js";

/** Row and place within the row of element i, for messages. */
function placeIn(tensor: Tensor, i: number): string {
  const row = sizeOf(tensor.shape.slice(1));
  return tensor.shape.length < 2 ? `row ${i}` : `row ${Math.floor(i / row)}, column ${i % row}`;
}

function firstWhere(tensor: Tensor, test: (value: number) => boolean): number {
  const { data } = tensor;
  for (let i = 0; i < data.length; i++) if (test(data[i] ?? 0)) return i;
  return -1;
}

/** Some of the rows. */
export interface Rows {
  readonly from: number;
  readonly to: number;
}

/** As firstWhere for what is not within low…high, NaN included: all the data goes through here. */
function firstOutside({ data, shape }: Tensor, low: number, high: number, rows?: Rows): number {
  const row = sizeOf(shape.slice(1));
  const [from, to] = [row * (rows?.from ?? 0), Math.min(data.length, row * (rows?.to ?? Infinity))];
  if (data instanceof Int32Array) return firstIntegerOutside(data, low, high, from, to);
  return firstNumberOutside(data, low, high, from, to);
}

/** A loop of its own: one that has seen several kinds of arrays takes three times as long. */
function firstIntegerOutside(data: Int32Array, low: number, high: number, from: number, to: number): number {
  for (let i = from; i < to; i++) {
    const value = data[i] ?? 0;
    if (value < low || value > high) return i;
  }
  return -1;
}

function firstNumberOutside(data: TypedArray, low: number, high: number, from: number, to: number): number {
  for (let i = from; i < to; i++) {
    const value = data[i] ?? NaN;
    if (!(value >= low && value <= high)) return i;
  }
  return -1;
}

/** Largest token each input may hold: where it goes straight into embeddings. */
export function tokenLimit(network: Network, input: number): number | undefined {
  const value = network.inputs[input];
  let limit: number | undefined;
  for (const { producer } of network.values) {
    const size: unknown =
      producer.layer.kind === "embedding" && "inputDim" in producer.layer.options
        ? producer.layer.options.inputDim
        : undefined;
    if (value !== undefined && producer.inputs.includes(value) && typeof size === "number")
      limit = Math.min(limit ?? Infinity, size);
  }
  return limit;
}

/** `part` tells which data it is that is looked at, such as " of validationData"; of the values, only those in `rows` are. */
export function checkInputs(network: Network, x: readonly Tensor[], part = "", rows?: Rows): void {
  const specs = network.inputSpecs;
  if (specs.length !== x.length) {
    throw new DataError({
      where: `model${part}`,
      problem: "wrong number of inputs",
      expected: String(specs.length),
      received: String(x.length),
    });
  }
  specs.forEach((spec, i) => {
    const tensor = x[i];
    if (tensor === undefined) return;
    if (!sameShape(tensor.shape.slice(1), spec.shape)) {
      const [expected, received] = [formatShape([null, ...spec.shape]), formatShape(tensor.shape)];
      throw new ShapeError({
        where: `${spec.name}${part}`,
        problem: "the data does not have the shape of the input",
        expected,
        received,
      });
    }
    if (spec.dtype === "int32") {
      if (tensor.dtype !== "int32") {
        const fix = 'Make it with tensor(values, { dtype: "int32" }).';
        throw new DataError({
          where: `${spec.name}${part}`,
          problem: "the input takes integers",
          expected: "int32",
          received: tensor.dtype,
          fix,
        });
      }
      const limit = tokenLimit(network, i);
      const bad = limit === undefined ? -1 : firstOutside(tensor, 0, limit - 1, rows);
      if (limit !== undefined && bad >= 0) {
        const received = `${tensor.data[bad] ?? NaN} at ${placeIn(tensor, bad)}`;
        throw new DataError({
          where: `${spec.name}${part}`,
          problem: "a token is out of range",
          expected: `0…${limit - 1}`,
          received,
        });
      }
    } else checkFinite(`${spec.name}${part}`, tensor, rows);
  });
}

function checkFinite(where: string, tensor: Tensor, rows?: Rows): void {
  const bad = firstOutside(tensor, -Number.MAX_VALUE, Number.MAX_VALUE, rows);
  if (bad < 0) return;
  const received = `${tensor.data[bad] ?? NaN} at ${placeIn(tensor, bad)}`;
  throw new DataError({ where, problem: "the data is not finite", expected: "finite numbers", received });
}

export function checkTargets(network: Network, goals: readonly Goal[], y: readonly Tensor[], part = ""): void {
  if (y.length !== goals.length) {
    const names = goals.length === 1 ? "" : ` (${goals.map(({ name }) => name).join(", ")})`;
    throw new DataError({
      where: `model${part}`,
      problem: "wrong number of targets",
      expected: `${goals.length}${names}`,
      received: String(y.length),
    });
  }
  goals.forEach((goal, i) => {
    const [target, output] = [y[i], network.outputs[goal.output]];
    if (target === undefined || output === undefined) return;
    const name = goals.length === 1 ? goal.loss.name : `${goal.name}, ${goal.loss.name}`;
    checkTarget(name, part, goal, output, target);
  });
}

/** What targets of each kind may be. */
const LABELS: Readonly<Record<Goal["loss"]["targets"], string>> = {
  numbers: "numbers",
  classes: "whole numbers",
  distribution: "numbers",
  probabilities: "numbers from 0 to 1",
  signs: "-1 or 1 (or 0 for -1)",
};

function checkTarget(name: string, part: string, { loss }: Goal, output: SymbolicTensor, target: Tensor): void {
  const where = `${name}${part}`;
  const shape = output.shape.slice(1).map((n) => n ?? 1);
  const classes = loss.targets === "classes";
  const wanted = classes ? shape.slice(0, -1) : shape;
  const given = target.shape.slice(1);
  if (sizeOf(given) !== sizeOf(wanted)) {
    const [expected, received] = [formatShape([null, ...wanted]), formatShape(target.shape)];
    throw new ShapeError({ where, problem: "the targets do not have the shape of the output", expected, received });
  }
  checkFinite(`targets${part}`, target);
  const count = shape.at(-1) ?? 1;
  const bad = firstWhere(target, (value) => {
    if (loss.targets === "probabilities") return !(value >= 0 && value <= 1);
    if (loss.targets === "signs") return value !== -1 && value !== 0 && value !== 1;
    return classes && value !== loss.ignoreClass && (!Number.isInteger(value) || value < 0 || value >= count);
  });
  if (bad < 0) return;
  throw new DataError({
    where,
    problem: "a label is out of range",
    expected: classes ? `whole numbers 0…${count - 1}` : LABELS[loss.targets],
    received: `${target.data[bad] ?? NaN} at ${placeIn(target, bad)}`,
  });
}
