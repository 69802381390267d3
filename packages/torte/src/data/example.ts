/** Examples and batches: tensors that belong together, as datasets hand them out and take them back. */
import { DataError, show } from "../errors.js";
import { formatShape } from "../tensor/shape.js";
import { arrayOf, concatenate, Tensor } from "../tensor/tensor.js";

/** One tensor; or one for each input or output of a model, in their order or by their names. */
export type TensorOrList = Tensor | readonly Tensor[] | NamedTensors;

/** Tensors by name. */
export type NamedTensors = Readonly<Record<string, Tensor>>;

/** One example or one batch: inputs, and targets where there are any. */
export interface Example<
  X extends TensorOrList = TensorOrList,
  Y extends TensorOrList | undefined = TensorOrList | undefined,
> {
  readonly x: X;
  readonly y: Y;
  /** Of the targets, where there are any. */
  readonly sampleWeight?: TensorOrList | undefined;
}

/** What examples are made of; targets may be left out. */
export interface Parts<
  X extends TensorOrList = TensorOrList,
  Y extends TensorOrList | undefined = TensorOrList | undefined,
> {
  readonly x: X;
  readonly y?: Y | undefined;
  /** How much each row, or each position of a row, counts: (rows) or (rows, positions); a list has one for each output. */
  readonly sampleWeight?: TensorOrList | undefined;
}

/** All rows as training reads them, a list of inputs and one of targets. */
export interface Columns {
  readonly x: readonly Tensor[];
  readonly y: readonly Tensor[];
  /** Weights, where there are any: one tensor for all targets, or one each. */
  readonly sampleWeight?: readonly Tensor[];
  /** What the tensors of a part are called, where they were given by name: their order is not the model's then. */
  readonly names?: Readonly<Partial<Record<PartName, readonly string[]>>>;
}

export type PartName = keyof Parts;

const isList = (value: TensorOrList): value is readonly Tensor[] => Array.isArray(value);

export function asList(value: TensorOrList | undefined): readonly Tensor[] {
  if (value === undefined) return [];
  if (value instanceof Tensor) return [value];
  return isList(value) ? value : Object.values(value);
}

/** The example in columns. */
export function columnsOf(parts: Parts): Columns {
  const named = (["x", "y", "sampleWeight"] as const).flatMap((part) => {
    const value = parts[part];
    if (value === undefined || value instanceof Tensor || isList(value)) return [];
    return [[part, Object.keys(value)] as const];
  });
  return {
    x: asList(parts.x),
    y: asList(parts.y),
    ...(parts.sampleWeight === undefined ? {} : { sampleWeight: asList(parts.sampleWeight) }),
    ...(named.length === 0 ? {} : { names: Object.fromEntries(named) }),
  };
}

const tensorsOf = ({ x, y, sampleWeight }: Parts): readonly Tensor[] => [
  ...asList(x),
  ...asList(y),
  ...asList(sampleWeight),
];

/** The example with each tensor replaced. */
export function eachTensor({ x, y, sampleWeight }: Parts, change: (tensor: Tensor, index: number) => Tensor): Parts {
  const count = asList(x).length;
  const part = (value: TensorOrList, offset: number): TensorOrList => {
    if (value instanceof Tensor) return change(value, offset);
    if (isList(value)) return value.map((tensor, i) => change(tensor, offset + i));
    return Object.fromEntries(Object.entries(value).map(([name, tensor], i) => [name, change(tensor, offset + i)]));
  };
  return {
    x: part(x, 0),
    y: y === undefined ? undefined : part(y, count),
    ...(sampleWeight === undefined ? {} : { sampleWeight: part(sampleWeight, count + asList(y).length) }),
  };
}

export const takeRows = (example: Parts, rows: Int32Array): Parts => eachTensor(example, (tensor) => tensor.take(rows));

/** Row `i` without its first axis. */
export const rowOf = (example: Parts, i: number): Parts =>
  eachTensor(example, (tensor) => tensor.rows(i, i + 1).reshape(tensor.shape.slice(1)));

/** One tensor, a list of them, or an object of them by name. */
export function isTensors(value: unknown): value is TensorOrList {
  if (value instanceof Tensor) return true;
  if (typeof value !== "object" || value === null) return false;
  const parts: readonly unknown[] = Array.isArray(value) ? value : isPlain(value) ? Object.values(value) : [];
  return parts.length > 0 && parts.every((item) => item instanceof Tensor);
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Rejects what is no `{ x, y }` of tensors. */
export function checkExample(where: string, value: unknown): asserts value is Parts {
  const { x, y, sampleWeight } = (typeof value === "object" && value !== null ? value : {}) as Readonly<
    Partial<Record<"x" | "y" | "sampleWeight", unknown>>
  >;
  if (!isTensors(x) || [y, sampleWeight].some((part) => part !== undefined && !isTensors(part))) {
    throw new DataError({
      where,
      problem: "no example",
      expected: "{ x, y } of tensors, or of lists or objects of tensors; y may be left out",
      received: show(value),
      fix: "Make tensors of arrays with tensor(values).",
    });
  }
}

/** Number of rows. @throws DataError where there are none or where the tensors do not agree. */
export function countRows(where: string, example: Parts): number {
  const shapes = tensorsOf(example).map(({ shape }) => shape);
  if (shapes.some(({ length }) => length === 0)) {
    const received = shapes.map(formatShape).join(", ");
    throw new DataError({
      where,
      problem: "a tensor has no rows",
      expected: "tensors with at least one axis",
      received,
    });
  }
  const [rows = 0] = shapes.map(([n = 0]) => n);
  if (shapes.some(([n]) => n !== rows)) {
    const received = shapes.map(formatShape).join(", ");
    throw new DataError({
      where,
      problem: "the tensors have different numbers of rows",
      expected: `${rows} rows each`,
      received,
    });
  }
  if (rows === 0) throw new DataError({ where, problem: "there are no rows", expected: "at least one example" });
  return rows;
}

const describe = ({ x, y, sampleWeight }: Parts, shapeOf: (tensor: Tensor) => readonly (number | null)[]): string => {
  const part = (value: TensorOrList): string => {
    if (value instanceof Tensor) return `${value.dtype}${formatShape(shapeOf(value))}`;
    if (isList(value)) return `[${value.map(part).join(", ")}]`;
    return `{ ${Object.entries(value)
      .map(([name, tensor]) => `${name}: ${part(tensor)}`)
      .join(", ")} }`;
  };
  const parts = Object.entries({ x, y, sampleWeight });
  return parts.flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${part(value)}`])).join(", ");
};

/** Rejects examples that cannot be put together, as they differ in anything but the axes that `shapeOf` hides. */
function checkAlike(
  where: string,
  examples: readonly Parts[],
  shapeOf: (tensor: Tensor) => readonly (number | null)[],
): void {
  const [first] = examples;
  if (first === undefined) return;
  const expected = describe(first, shapeOf);
  examples.forEach((example, i) => {
    const received = describe(example, shapeOf);
    if (received !== expected)
      throw new DataError({ where, problem: `result ${i} differs from the first`, expected, received });
  });
}

/** Examples of one form as a batch. */
export function stack(where: string, examples: readonly [Parts, ...Parts[]]): Parts {
  checkAlike(where, examples, ({ shape }) => shape);
  const lists = examples.map(tensorsOf);
  return eachTensor(examples[0], (first, k) => {
    const data = arrayOf(first.dtype, examples.length * first.data.length);
    lists.forEach((tensors, i) => {
      data.set(tensors[k]?.data ?? [], i * first.data.length);
    });
    return new Tensor(data, [examples.length, ...first.shape], first.dtype);
  });
}

/** Batches of one form, which may differ in their number of rows, one after the other. */
export function joinBatches(where: string, batches: readonly [Parts, ...Parts[]]): Parts {
  checkAlike(where, batches, ({ shape }) => [null, ...shape.slice(1)]);
  const lists = batches.map(tensorsOf);
  return eachTensor(batches[0], (first, k) => concatenate(lists.map((tensors) => tensors[k] ?? first)));
}
