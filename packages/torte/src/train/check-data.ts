/** Data is checked before it reaches the engine. */
import { DataError, ShapeError } from "../errors.js";
import type { Columns } from "../data/dataset.js";
import type { SymbolicTensor } from "../nn/layer.js";
import type { InputSpec, Network } from "../nn/network.js";
import { formatShape, sameShape, type Shape, sizeOf } from "../tensor/shape.js";
import { computedAs, type TypedArray } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";
import { inputLimits, type Limits } from "./limits.js";
import type { Goal } from "./measure.js";
import { type Positions, positionsOf } from "./positions.js";

/** Row and place within the row of element i, for messages; the tensor's rows are those from `firstRow` on. */
function placeIn({ shape }: Tensor, i: number, firstRow = 0): string {
  const row = sizeOf(shape.slice(1));
  return shape.length < 2 ? `row ${firstRow + i}` : `row ${firstRow + Math.floor(i / row)}, column ${i % row}`;
}

/** As findIndex, for what is not within low…high, NaN included: all the data goes through here. */
function firstOutside({ data }: Tensor, low: number, high: number, from = 0): number {
  return data instanceof Int32Array
    ? firstIntegerOutside(data, low, high, from)
    : firstNumberOutside(data, low, high, from);
}

/** A loop of its own: one that has seen several kinds of arrays takes three times as long. */
function firstIntegerOutside(data: Int32Array, low: number, high: number, from: number): number {
  for (let i = from; i < data.length; i++) {
    const value = data[i] ?? 0;
    if (value < low || value > high) return i;
  }
  return -1;
}

function firstNumberOutside(data: TypedArray, low: number, high: number, from: number): number {
  for (let i = from; i < data.length; i++) {
    const value = data[i] ?? NaN;
    if (!(value >= low && value <= high)) return i;
  }
  return -1;
}

/** What of the data is looked at. */
export interface Look {
  /** Which data it is, such as " of validationData". Default "". */
  readonly part?: string;
  /** Every value, or shapes and dtypes alone. Default: every value. */
  readonly values?: boolean;
  /** The number of the first row, for messages. Default 0. */
  readonly firstRow?: number;
}

export function checkInputs(network: Network, x: readonly Tensor[], look: Look = {}): void {
  const specs = network.inputSpecs;
  if (specs.length !== x.length) {
    throw new DataError({
      where: `model${look.part ?? ""}`,
      problem: "wrong number of inputs",
      expected: String(specs.length),
      received: String(x.length),
    });
  }
  specs.forEach((spec, i) => {
    const tensor = x[i];
    if (tensor === undefined) return;
    checkInputForm(`${spec.name}${look.part ?? ""}`, spec, tensor);
    if (look.values !== false) checkInputValues(network, i, tensor, look);
  });
}

/** Integers and booleans are numbers, too; numbers are not integers. */
function checkInputForm(where: string, { shape, dtype }: InputSpec, tensor: Tensor): void {
  if (!sameShape(tensor.shape.slice(1), shape)) {
    throw new ShapeError({
      where,
      problem: "the data does not have the shape of the input",
      expected: formatShape([null, ...shape]),
      received: formatShape(tensor.shape),
    });
  }
  if (dtype !== "int32" || computedAs(tensor.dtype) !== "float32") return;
  throw new DataError({
    where,
    problem: "the input takes integers",
    expected: "int32",
    received: tensor.dtype,
    fix: 'Make it with tensor(values, { dtype: "int32" }).',
  });
}

function checkInputValues(network: Network, input: number, tensor: Tensor, { part = "", firstRow }: Look): void {
  const spec = network.inputSpecs[input];
  const where = `${spec?.name ?? "input"}${part}`;
  if (spec?.dtype !== "int32") {
    checkFinite(where, tensor, firstRow);
    return;
  }
  const limits = inputLimits(network)[input];
  if (limits === undefined) return;
  const bad = firstBeyond(tensor, limits);
  if (bad < 0) return;
  const column = bad % limits.low.length;
  throw new DataError({
    where,
    problem: "a token is out of range",
    expected: `${limits.low[column] ?? 0}…${limits.high[column] ?? 0}`,
    received: `${tensor.data[bad] ?? NaN} at ${placeIn(tensor, bad, firstRow)}`,
  });
}

function firstBeyond(tensor: Tensor, { low, high, common }: Limits): number {
  if (common !== undefined) return firstOutside(tensor, common.low, common.high);
  const { data } = tensor;
  for (let i = 0, column = 0; i < data.length; i++) {
    const value = data[i] ?? 0;
    if (value < (low[column] ?? 0) || value > (high[column] ?? 0)) return i;
    if (++column === low.length) column = 0;
  }
  return -1;
}

/** The largest number that becomes a finite one when it is rounded to 32 bits; the next one becomes infinite. */
const LARGEST = 2 ** 128 - 2 ** 103 - 2 ** 75;

function checkFinite(where: string, tensor: Tensor, firstRow?: number): void {
  if (computedAs(tensor.dtype) !== "float32") return;
  const bad = firstOutside(tensor, -LARGEST, LARGEST);
  if (bad >= 0) throw notFinite(where, tensor, bad, firstRow);
}

/** Numbers may be infinite or NaN, but none becomes so on its way. */
export function checkSize(where: string, tensor: Tensor): void {
  if (tensor.dtype !== "float64") return;
  const bad = tensor.data.findIndex((value) => Number.isFinite(value) && Math.abs(value) > LARGEST);
  if (bad >= 0) throw notFinite(where, tensor, bad);
}

function notFinite(where: string, tensor: Tensor, bad: number, firstRow?: number): DataError {
  const value = tensor.data[bad] ?? NaN;
  const received = `${value} at ${placeIn(tensor, bad, firstRow)}`;
  return Number.isFinite(value)
    ? new DataError({ where, problem: "a number is too large", expected: "at most 3.4e38, in 32 bits", received })
    : new DataError({ where, problem: "the data is not finite", expected: "finite numbers", received });
}

/** Weights of rows (rows) or (rows, 1), or of positions, the leading axes of the output's. */
function checkWeights(network: Network, goals: readonly Goal[], weights: readonly Tensor[], look: Look): void {
  const where = `sampleWeight${look.part ?? ""}`;
  if (weights.length !== 1 && weights.length !== goals.length) {
    const received = String(weights.length);
    throw new DataError({ where, problem: "wrong number of weights", expected: `1 or ${goals.length}`, received });
  }
  goals.forEach((goal, i) => {
    const [tensor, output] = [weights[weights.length === 1 ? 0 : i], network.outputs[goal.output]];
    if (tensor === undefined || output === undefined) return;
    const positions = output.shape.slice(1, -1).map((n) => n ?? 1);
    const given = tensor.shape.slice(1);
    const ofRows = given.length === 0 || (given.length === 1 && given[0] === 1);
    if (!ofRows && !sameShape(given, positions.slice(0, given.length))) {
      const expected = [[null], ...positions.map((_, k) => [null, ...positions.slice(0, k + 1)])]
        .map(formatShape)
        .join(" or ");
      throw new ShapeError({
        where,
        problem: "the weights do not have the shape of the rows or of the positions",
        expected,
        received: formatShape(tensor.shape),
      });
    }
  });
  if (look.values !== false) for (const tensor of weights) checkFinite(where, tensor, look.firstRow);
}

/** `x` are the inputs beside the targets: by them is told which positions are masked, whose labels may be anything. */
export function checkTargets(
  network: Network,
  goals: readonly Goal[],
  { x, y, sampleWeight }: Columns,
  look: Look = {},
): void {
  if (sampleWeight !== undefined) checkWeights(network, goals, sampleWeight, look);
  if (y.length !== goals.length) {
    const names = goals.length === 1 ? "" : ` (${goals.map(({ name }) => name).join(", ")})`;
    throw new DataError({
      where: `model${look.part ?? ""}`,
      problem: "wrong number of targets",
      expected: `${goals.length}${names}`,
      received: String(y.length),
    });
  }
  goals.forEach((goal, i) => {
    const [target, output] = [y[i], network.outputs[goal.output]];
    if (target === undefined || output === undefined) return;
    const name = goals.length === 1 ? goal.loss.name : `${goal.name}, ${goal.loss.name}`;
    const wanted = targetShape(goal, output);
    checkTargetShape(`${name}${look.part ?? ""}`, wanted, target);
    if (look.values === false) return;
    const allowed = labelsOf(goal, output);
    const bad = firstBadLabel(target, allowed, positionsOf(network, goal, x));
    if (bad >= 0) throw badLabel(name, look, allowed, { target, bad });
  });
}

/** Of one row: that of the output, without the axis of the classes where the targets are their numbers. */
function targetShape({ loss }: Goal, output: SymbolicTensor): number[] {
  const axis = classAxis(loss, output);
  return output.shape.map((n) => n ?? 1).filter((_, i) => i > 0 && (loss.targets !== "classes" || i !== axis));
}

const classAxis = ({ axis = -1 }: Goal["loss"], { shape }: SymbolicTensor): number =>
  axis < 0 ? axis + shape.length : axis;

/** The same shape; a last axis of one number may be there or not. */
function checkTargetShape(where: string, wanted: Shape, target: Tensor): void {
  const given = target.shape.slice(1);
  if (sameShape(given, wanted) || sameShape(given, [...wanted, 1]) || sameShape([...given, 1], wanted)) return;
  throw new ShapeError({
    where,
    problem: "the targets do not have the shape of the output",
    expected: formatShape([null, ...wanted]),
    received: formatShape(target.shape),
  });
}

/** The labels that a loss is defined for. */
interface Labels {
  readonly low: number;
  readonly high: number;
  /** Whether one within these limits is allowed. Default: each is. */
  readonly allows?: (label: number) => boolean;
  /** Whether one beyond them is, too. */
  readonly except?: number | undefined;
  readonly text: string;
}

const NUMBERS = { low: -LARGEST, high: LARGEST, text: "numbers" } as const;

/** For each kind of targets; `classes` is the number of classes. */
const LABELS: Readonly<Record<Goal["loss"]["targets"], (loss: Goal["loss"], classes: number) => Labels>> = {
  numbers: () => NUMBERS,
  distribution: () => NUMBERS,
  probabilities: () => ({ low: 0, high: 1, text: "numbers from 0 to 1" }),
  signs: () => ({ low: -1, high: 1, allows: Number.isInteger, text: "-1 or 1 (or 0 for -1)" }),
  classes: ({ ignoreClass }, classes) => ({
    low: 0,
    high: classes - 1,
    allows: Number.isInteger,
    except: ignoreClass,
    text: `whole numbers 0…${classes - 1}`,
  }),
};

function labelsOf({ loss }: Goal, output: SymbolicTensor): Labels {
  return LABELS[loss.targets](loss, output.shape[classAxis(loss, output)] ?? 1);
}

/** The first label that is not allowed where it counts. */
function firstBadLabel(target: Tensor, labels: Labels, counts: Positions | undefined): number {
  const { low, high, allows, except } = labels;
  const { data } = target;
  const next = (from: number): number => {
    const outside = firstOutside(target, low, high, from);
    if (allows === undefined || computedAs(target.dtype) !== "float32") return outside;
    const end = outside < 0 ? data.length : outside;
    for (let i = from; i < end; i++) if (!allows(data[i] ?? NaN)) return i;
    return outside;
  };
  const perRow = sizeOf(target.shape.slice(1));
  const mayBe = (i: number): boolean =>
    data[i] === except || counts?.(Math.floor(i / perRow), i % perRow, perRow) === false;
  let bad = next(0);
  while (bad >= 0 && mayBe(bad)) bad = next(bad + 1);
  return bad;
}

function badLabel(
  name: string,
  { part = "", firstRow }: Look,
  { text }: Labels,
  { target, bad }: { readonly target: Tensor; readonly bad: number },
): DataError {
  const value = target.data[bad] ?? NaN;
  if (!Number.isFinite(value) || Math.abs(value) > LARGEST) return notFinite(`targets${part}`, target, bad, firstRow);
  return new DataError({
    where: `${name}${part}`,
    problem: "a label is out of range",
    expected: text,
    received: `${value} at ${placeIn(target, bad, firstRow)}`,
  });
}
