/** Splitting into training, validation and test data. */
import { booleanOption, checkOptions, DataError, numberIn, OptionError, seedOption } from "../errors.js";
import { mixKey, shuffle } from "../tensor/random.js";
import { formatShape, sizeOf } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { Dataset } from "./dataset.js";
import { type SealedTest, sealTest } from "./sealed.js";
import { asList, checkExample, eachTensor, type Parts, type TensorOrList } from "./example.js";

/** Options of {@link split}. */
export interface SplitOptions {
  /** Share of the rows for validation, above 0 and below 1. Default 0.1. */
  readonly validation?: number;
  /** Share of the rows for the final test, above 0 and below 1. Default 0.1. */
  readonly test?: number;
  /** Default 0. */
  readonly seed?: number;
  /**
   * Give each part the same shares of all labels, as far as whole rows go. Needs tensors, with one label a row.
   * Default false.
   */
  readonly stratify?: boolean;
}

/** The parts that {@link split} gives. */
export interface Split<
  X extends TensorOrList = TensorOrList,
  Y extends TensorOrList | undefined = TensorOrList | undefined,
> {
  readonly train: Dataset<X, Y>;
  readonly validation: Dataset<X, Y>;
  /** Under a seal: `evaluate` opens it, and so does `test.open(purpose)`. */
  readonly test: SealedTest<X, Y>;
}

/**
 * Three disjoint parts in a random order: ⌊share·rows⌋ rows each for validation and test, the rest for training. The test is under a seal.
 *
 * The parts stay the same in every epoch, also those of a dataset that is shuffled anew each time.
 *
 * @throws OptionError for shares out of range, or where a part would be empty.
 * @example
 * import { split, tensor } from "torte";
 * const parts = split({ x: tensor(new Float32Array(20), { shape: [10, 2] }), y: tensor(new Float32Array(10)) });
 * console.log(parts.train.size, parts.validation.size, parts.test.size); // 8 1 1
 */
export function split<X extends TensorOrList, Y extends TensorOrList | undefined = undefined>(
  data: Dataset<X, Y> | Parts<X, Y>,
  options: SplitOptions = {},
): Split<X, Y> {
  checkOptions("split", options, ["validation", "test", "seed", "stratify"]);
  const all = data instanceof Dataset ? data : Dataset.fromTensors(data);
  const sizes = partSizes(all.size, options);
  const order = shuffle(
    Int32Array.from({ length: all.size }, (_, i) => i),
    mixKey(seedOption("split", options.seed ?? 0), 0x5117, 0),
  );
  if (booleanOption("split", "stratify", options.stratify ?? false)) {
    const labels = labelsOf(data);
    order.sort((a, b) => (labels[a] ?? 0) - (labels[b] ?? 0)); // stable: the rows of a label stay shuffled
    const { test, ...others } = strata(order, sizes, (rows) => part(data, rows));
    return { ...others, test: sealTest(test) };
  }
  const trainFrom = sizes.test + sizes.validation;
  return {
    test: sealTest(part(data, order.subarray(0, sizes.test))),
    validation: part(data, order.subarray(sizes.test, trainFrom)),
    train: part(data, order.subarray(trainFrom)),
  };
}

interface Sizes {
  readonly validation: number;
  readonly test: number;
}

function partSizes(rows: number, options: SplitOptions): Sizes {
  const share = (name: "validation" | "test"): number => {
    const value = numberIn("split", name, options[name] ?? 0.1, { above: 0, below: 1 });
    return Math.floor(value * rows + 1e-9); // 0.29 · 100 is 28.999999999999996
  };
  const [validation, test] = [share("validation"), share("test")];
  const train = rows - validation - test;
  if (validation < 1 || test < 1 || train < 1) {
    throw new OptionError({
      where: "split",
      problem: "a part would be empty",
      expected: "at least one row in each",
      received: `${train} train, ${validation} validation, ${test} test of ${rows} rows`,
    });
  }
  return { validation, test };
}

function part<X extends TensorOrList, Y extends TensorOrList | undefined>(
  data: Dataset<X, Y> | Parts<X, Y>,
  rows: Int32Array,
): Dataset<X, Y> {
  if (data instanceof Dataset) return data.select(rows);
  // eachTensor keeps the form of what it is given.
  return Dataset.fromTensors(eachTensor(data, (tensor) => tensor.take(rows)) as Parts<X, Y>);
}

function labelsOf(data: Dataset | Parts): Tensor["data"] {
  if (data instanceof Dataset) {
    throw new OptionError({
      where: "split",
      problem: "stratify needs the labels",
      expected: "tensors { x, y }",
      received: "a Dataset",
      fix: "Split the tensors, then shuffle, map and batch the parts.",
    });
  }
  checkExample("split", data);
  const [labels, ...others] = asList(data.y);
  if (labels === undefined || others.length > 0 || sizeOf(labels.shape.slice(1)) !== 1) {
    throw new DataError({
      where: "split",
      problem: "stratify needs labels",
      expected: "y with one label a row",
      received:
        labels === undefined
          ? "no y"
          : asList(data.y)
              .map(({ shape }) => formatShape(shape))
              .join(", "),
    });
  }
  return labels.data;
}

/** Picks evenly along rows that are sorted by label, so that each label's count in a part is right to within a row or two. */
function strata<T>(
  order: Int32Array,
  { validation, test }: Sizes,
  make: (rows: Int32Array) => T,
): { train: T; validation: T; test: T } {
  const [tested, others] = pickEvenly(order, test);
  const [validated, trained] = pickEvenly(others, validation);
  return { test: make(tested), validation: make(validated), train: make(trained) };
}

function pickEvenly(rows: Int32Array, count: number): [picked: Int32Array, left: Int32Array] {
  const isPicked = (i: number): boolean =>
    Math.floor(((i + 1) * count) / rows.length) > Math.floor((i * count) / rows.length);
  return [rows.filter((_, i) => isPicked(i)), rows.filter((_, i) => !isPicked(i))];
}
