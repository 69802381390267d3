/** Data as a model takes it: its forms, and its columns in the order of the model's inputs and outputs. */
import { Dataset, type EpochPlan, type TensorOrList } from "../data/dataset.js";
import {
  checkExample,
  type Columns,
  columnsOf,
  countRows,
  isTensors,
  type PartName,
  type Parts,
} from "../data/example.js";
import { isRecord } from "../data/schema.js";
import { refuseTest } from "../data/sealed.js";
import { StreamDataset } from "../data/stream-dataset.js";
import { DataError, hintFor, OptionError, positiveInteger, show } from "../errors.js";
import type { Network } from "../nn/network.js";
import { Tensor } from "../tensor/tensor.js";
import type { Goal } from "./measure.js";

export interface BatchOptions {
  /** Rows at a time. Default: that of the dataset, else 32. */
  readonly batchSize?: number;
}

/** Inputs, targets and weights in their order; targets and weights may be left out. */
export type PartsTuple = readonly [x: TensorOrList, y?: TensorOrList, sampleWeight?: TensorOrList];

/** Rows with their targets: by name, or in this order. Several inputs or outputs are a list, or an object by their names. */
export type Rows = Parts | PartsTuple;

/**
 * Batches one after the other, more than memory holds: what can be iterated, or a function that gives it anew for each pass
 * over the data, counted from 0. Inputs alone are a batch to `predict`.
 */
export type BatchStream<T = Rows> = Iterable<T> | AsyncIterable<T> | ((pass: number) => Passes<T> | Promise<Passes<T>>);
export type Passes<T = Rows> = Iterable<T> | AsyncIterable<T>;

/** Data to train or evaluate on. */
export type Data = Dataset | StreamDataset | Rows | BatchStream;

/** Data that is all there. */
export type Whole = Dataset | Rows;

/** What `predict` takes: inputs, rows, or batches of either. */
export type PredictData = TensorOrList | Whole | BatchStream<TensorOrList | Rows>;

const isTuple = (data: unknown): data is PartsTuple => Array.isArray(data);

const isBatch = (value: unknown): boolean => isRecord(value) && isParts(value);

/** Whether data comes batch by batch. An array is rows, [x, y], unless it has batches by name, [{ x, y }, …]. */
export function isStream(data: unknown): boolean {
  if (typeof data === "function") return true;
  if (typeof data !== "object" || data === null || data instanceof Dataset) return false;
  if (Array.isArray(data)) return data.length > 0 && data.every(isBatch);
  return Symbol.iterator in data || Symbol.asyncIterator in data;
}

/** Whether the stream can be gone through once only: it is its own iterator. */
export function isSpent(stream: BatchStream<unknown>): boolean {
  if (typeof stream === "function") return false;
  const itself = stream as Partial<AsyncIterable<unknown> & Iterable<unknown> & AsyncIterator<unknown>>;
  return typeof itself.next === "function";
}

/** Data that comes batch by batch, or that is all there. */
export type Sorted<W, T> =
  { readonly stream: BatchStream<T>; readonly whole?: undefined } | { readonly whole: W; readonly stream?: undefined };

// Types cannot tell them apart: whatever is all there can be iterated, too.
export const sorted = <W, T = Rows>(data: W | BatchStream<T>): Sorted<W, T> =>
  isStream(data) ? { stream: data as BatchStream<T> } : { whole: data as W };

/** The stream batch by batch: examples of a dataset are put together to batches. @throws OptionError for a size that batches have. */
export function inBatches<T>(where: string, stream: BatchStream<T>, { batchSize }: BatchOptions): BatchStream<T> {
  if (!(stream instanceof StreamDataset)) return batchSize === undefined ? stream : refuseSize(where);
  if (stream.isBatched && batchSize !== undefined) return refuseSize(where);
  const batches = stream.isBatched ? stream : stream.batch(positiveInteger(where, "batchSize", batchSize ?? 32));
  return (pass) => batches.pass(pass) as AsyncIterable<T>;
}

function refuseSize(where: string): never {
  const problem = "batchSize is for rows, and the data is a stream";
  throw new OptionError({ where, problem, fix: "Its batches are as they come." });
}

/** Rows by the names of their parts. @throws DataError for what is neither `{ x, y }` nor `[x, y]`. */
export function partsOf(where: string, data: unknown): Parts {
  if (!isTuple(data)) return data as Parts;
  const [x, y, sampleWeight, ...more]: readonly unknown[] = data;
  const given = [x, ...[y, sampleWeight].filter((part) => part !== undefined)];
  if (more.length === 0 && given.every(isTensors))
    return {
      x: given[0] as TensorOrList,
      ...(y === undefined ? {} : { y: y as TensorOrList }),
      ...(sampleWeight === undefined ? {} : { sampleWeight: sampleWeight as TensorOrList }),
    };
  throw new DataError({
    where,
    problem: "no rows",
    expected: "[x, y] or [x, y, sampleWeight] of tensors",
    received: show(data),
    fix: "Batches one after the other are a stream: give a function that returns them.",
  });
}

export function asDataset(data: Whole, where = "Dataset.fromTensors"): Dataset {
  return data instanceof Dataset ? data : Dataset.fromTensors(partsOf(where, data));
}

/** Rows to predict for. An array is a list of inputs. */
export function predicted(x: TensorOrList | Whole): Dataset {
  if (x instanceof Dataset) return x;
  return Dataset.fromTensors(isTensors(x) ? { x } : partsOf("predict", x));
}

/** What a person may have meant who gives x and y one by one, as other libraries have it. */
export function refuseLooseParts(where: string, data: unknown, second: unknown): void {
  const loose = second instanceof Tensor || Array.isArray(second) || ArrayBuffer.isView(second);
  if (!loose && !(data instanceof Tensor)) return;
  throw new OptionError({
    where,
    problem: loose ? "inputs and targets come together" : "there are no targets",
    expected: `model.${where}({ x, y }${where === "fit" ? ", { epochs }" : ""})`,
    received: loose ? `model.${where}(x, y)` : `model.${where}(x)`,
  });
}

/** Data that is all there, for what has to look at it more than once. */
export function wholeOf(where: string, data: Data): Dataset {
  const { whole } = sorted<Whole>(data);
  if (whole !== undefined) return asDataset(whole, where);
  throw new DataError({
    where,
    problem: "a stream cannot be looked at twice",
    expected: "a Dataset, or { x, y }",
    fix: "Collect some of its batches first.",
  });
}

/** Data that something is learnt from or chosen by, which the test part is not. */
export function learntFrom(where: string, data: Data): Sorted<Dataset, Rows> {
  refuseTest(where, data);
  const { stream, whole } = sorted<Whole>(data);
  return stream === undefined ? { whole: asDataset(whole, where) } : { stream };
}

export function batchSizeOf(where: string, data: Pick<Dataset, "batchSize">, options: BatchOptions): number {
  return positiveInteger(where, "batchSize", options.batchSize ?? data.batchSize ?? 32);
}

/** Keras's rule: the last rows are held back, ⌈share·rows⌉ of them, before anything is shuffled. */
export function withHeldBack(data: Data, share: number): { train: Dataset; validation: Dataset } {
  if (data instanceof Dataset || isStream(data)) {
    throw new OptionError({
      where: "fit",
      problem: "validationSplit needs rows in their first order",
      expected: "{ x, y }",
      received: data instanceof Dataset ? "a Dataset" : "a stream",
      fix: "Divide it with split(data), and give validationData.",
    });
  }
  const all = Dataset.fromTensors(partsOf("fit", data));
  const cut = Math.floor(all.size * (1 - share));
  if (cut < 1 || cut >= all.size) {
    throw new OptionError({
      where: "fit",
      problem: "validationSplit leaves a part without rows",
      expected: "at least one row in each",
      received: `${cut} of ${all.size} rows for training`,
    });
  }
  const part = (from: number, to: number): Dataset => Dataset.fromTensors(rowsOf(partsOf("fit", data), from, to));
  return { train: part(0, cut), validation: part(cut, all.size) };
}

/** Rows `from` up to `to`, sharing memory. */
function rowsOf({ x, y, sampleWeight }: Parts, from: number, to: number): Parts {
  const of = (value: TensorOrList): TensorOrList => {
    if (value instanceof Tensor) return value.rows(from, to);
    const rows = Object.entries(value).map(
      ([name, tensor]: [string, Tensor]) => [name, tensor.rows(from, to)] as const,
    );
    return Array.isArray(value) ? rows.map(([, tensor]) => tensor) : Object.fromEntries(rows);
  };
  return {
    x: of(x),
    ...(y === undefined ? {} : { y: of(y) }),
    ...(sampleWeight === undefined ? {} : { sampleWeight: of(sampleWeight) }),
  };
}

/** What the parts of data are called by a model. */
export interface DataNames {
  readonly x: readonly string[];
  readonly y: readonly string[];
}

export const namesFor = (network: Network, goals: readonly Goal[] = []): DataNames => ({
  x: network.inputNames,
  y: goals.map(({ name }) => name),
});

/** The inputs in the order of the model's. @throws DataError for names that are not its inputs'. */
export const inputsOf = (network: Network, x: TensorOrList, where: string): readonly Tensor[] =>
  inOrder(columnsOf({ x }), namesFor(network), where).x;

/** All rows, and the order of the first pass, of data that is all there; the parts are in the model's order. */
export async function planOf(
  where: string,
  data: Data,
  network: Network,
  goals: readonly Goal[] = [],
): Promise<EpochPlan> {
  return planInOrder(await wholeOf(where, data).plan(0), namesFor(network, goals), where);
}

/**
 * Columns in the order of the model's inputs and outputs; what has no weights where others have some counts as 1.
 *
 * @throws DataError for a name that the model does not have, or one that is missing.
 */
export function inOrder(columns: Columns, names: DataNames, where: string): Columns {
  const { names: given, ...plain } = columns;
  if (given === undefined) return columns;
  const rows = columns.x[0]?.shape[0] ?? 0;
  const ones = (): Tensor => new Tensor(new Float32Array(rows).fill(1), [rows], "float32");
  const part = (name: PartName, wanted: readonly string[], otherwise?: () => Tensor): readonly Tensor[] => {
    const [found, tensors] = [given[name], columns[name] ?? []];
    if (found === undefined) return tensors;
    const strange = found.find((one) => !wanted.includes(one));
    const missing = otherwise === undefined ? wanted.find((one) => !found.includes(one)) : undefined;
    const bad = strange ?? missing;
    if (bad !== undefined) {
      throw new DataError({
        where,
        problem: `${name} ${strange === undefined ? "lacks" : "has a name that the model does not have:"} ${JSON.stringify(bad)}`,
        expected: wanted.length === 0 ? "none" : wanted.join(", "),
        received: found.join(", "),
        ...(strange === undefined ? {} : hintFor(bad, wanted)),
      });
    }
    return wanted.map((one) => tensors[found.indexOf(one)] ?? otherwise?.() ?? ones());
  };
  return {
    ...plain,
    x: part("x", names.x),
    y: part("y", names.y),
    ...(columns.sampleWeight === undefined ? {} : { sampleWeight: part("sampleWeight", names.y, ones) }),
  };
}

/** The plan with its columns in the model's order; the same plan where they are already. */
export function planInOrder(plan: EpochPlan, names: DataNames, where: string): EpochPlan {
  const columns = inOrder(plan.columns, names, where);
  return columns === plan.columns ? plan : { ...plan, columns };
}

/** One batch of a stream in the model's order; to `predict` it may be inputs alone. @throws DataError for what is none. */
export function batchColumns(where: string, batch: unknown, names: DataNames): Columns {
  const parts = names.y.length === 0 ? inputParts(where, batch, names) : partsOf(where, batch);
  checkExample(where, parts);
  countRows(where, parts);
  return inOrder(columnsOf(parts), names, where);
}

/** A list is one of inputs where the model has several. */
function inputParts(where: string, batch: unknown, names: DataNames): Parts {
  const tuple = Array.isArray(batch) && names.x.length === 1;
  if (!tuple && isTensors(batch) && !isParts(batch)) return { x: batch };
  return { x: partsOf(where, batch).x };
}

/** Inputs by name look like parts where one of them is called x. */
const isParts = (batch: object): boolean =>
  "x" in batch && Object.keys(batch).every((name) => PART_NAMES.includes(name));

const PART_NAMES: readonly string[] = ["x", "y", "sampleWeight"] satisfies readonly PartName[];
