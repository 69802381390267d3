/** Splitting into training, validation and test data. */
import { checkOptions, numberIn, OptionError, wholeNumber } from "../errors.js";
import { mixKey, shuffle } from "../tensor/random.js";
import type { Tensor } from "../tensor/tensor.js";
import { Dataset, type TensorOrList } from "./dataset.js";

export interface SplitOptions {
  /** Share of the rows for validation, above 0 and below 1. Default 0.1. */
  readonly validation?: number;
  /** Share of the rows for the final test. Default 0.1. */
  readonly test?: number;
  /** Default 0. */
  readonly seed?: number;
}

export interface Split {
  readonly train: Dataset;
  readonly validation: Dataset;
  readonly test: Dataset;
}

/**
 * Three disjoint parts in a random order: ⌊share·rows⌋ rows each for validation and test, the rest for training.
 *
 * @throws OptionError for shares out of range, or where a part would be empty.
 * @example
 * import { split, tensor } from "torte";
 * const parts = split({ x: tensor(new Float32Array(20), { shape: [10, 2] }), y: tensor(new Float32Array(10)) });
 * console.log(parts.train.size, parts.validation.size, parts.test.size); // 8 1 1
 */
export function split(tensors: { x: TensorOrList; y: TensorOrList }, options: SplitOptions = {}): Split {
  checkOptions("split", options, ["validation", "test", "seed"]);
  const validation = numberIn("split", "validation", options.validation ?? 0.1, { above: 0, below: 1 });
  const test = numberIn("split", "test", options.test ?? 0.1, { above: 0, below: 1 });
  const seed = wholeNumber("split", "seed", options.seed ?? 0);
  const all = Dataset.fromTensors(tensors);
  const [validationRows, testRows] = [Math.floor(validation * all.size), Math.floor(test * all.size)];
  const trainRows = all.size - validationRows - testRows;
  if (validationRows < 1 || testRows < 1 || trainRows < 1) {
    throw new OptionError({
      where: "split",
      problem: "a part would be empty",
      expected: "at least one row in each",
      received: `${trainRows} train, ${validationRows} validation, ${testRows} test of ${all.size} rows`,
    });
  }
  const order = shuffle(
    Int32Array.from({ length: all.size }, (_, i) => i),
    mixKey(seed, 0x5117, 0),
  );
  const part = (from: number, to: number): Dataset => {
    const rows = order.slice(from, to);
    const pick = (value: TensorOrList): Tensor | Tensor[] =>
      "data" in value ? value.take(rows) : value.map((t) => t.take(rows));
    return Dataset.fromTensors({ x: pick(tensors.x), y: pick(tensors.y) });
  };
  return {
    test: part(0, testRows),
    validation: part(testRows, testRows + validationRows),
    train: part(testRows + validationRows, all.size),
  };
}
