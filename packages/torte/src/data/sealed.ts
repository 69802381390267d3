/** A test part that is looked at on purpose only: sealed until it is opened, and every opening is recorded. */
import { DataError, show } from "../errors.js";
import { Dataset } from "./dataset.js";
import type { Parts, TensorOrList } from "./example.js";

/** When a sealed test was opened, and what for. */
export interface Opening {
  /** ISO 8601. */
  readonly time: string;
  readonly purpose: string;
}

/** Rows that came out of a seal; to learn from them is refused, too. */
const opened = new WeakSet<object>();

/**
 * A test part under a seal. `fit`, its `validationData` and callbacks cannot reach the rows; `model.evaluate` opens it, and so
 * does `open`. The figure of a second opening is no clean estimate any more: whoever has seen the first may have chosen by it.
 *
 * @example
 * import { sealTest, split, tensor } from "torte";
 * const parts = split({ x: tensor(new Float32Array(20), { shape: [10, 2] }), y: tensor(new Float32Array(10)) });
 * const test = sealTest(parts.test);
 * test.open("the figure of the paper");
 * console.log(test.size, test.openings.length); // 1 1
 */
export class SealedTest<
  X extends TensorOrList = TensorOrList,
  Y extends TensorOrList | undefined = TensorOrList | undefined,
> {
  readonly #data: Dataset<X, Y>;
  readonly #openings: Opening[] = [];

  constructor(data: Dataset<X, Y>) {
    this.#data = data;
  }

  /** Number of rows. */
  get size(): number {
    return this.#data.size;
  }

  /** All openings so far, the first one first. */
  get openings(): readonly Opening[] {
    return [...this.#openings];
  }

  /** The rows, to be looked at but not to learn from; the opening is recorded. @throws DataError without a purpose. */
  open(purpose: string): Dataset<X, Y> {
    if (typeof purpose !== "string" || purpose.trim() === "")
      throw new DataError({
        where: "open",
        problem: "there is no purpose",
        expected: "a few words",
        received: show(purpose),
      });
    this.#openings.push({ time: new Date().toISOString(), purpose });
    const rows = this.#data.take(this.#data.length);
    opened.add(rows);
    return rows;
  }

  /** The openings, for the record of a run; never the rows. */
  toJSON(): { readonly size: number; readonly openings: readonly Opening[] } {
    return { size: this.size, openings: this.openings };
  }
}

/** Puts a test part under a seal. */
export function sealTest<X extends TensorOrList, Y extends TensorOrList | undefined = undefined>(
  data: Dataset<X, Y> | Parts<X, Y>,
): SealedTest<X, Y> {
  return new SealedTest(data instanceof Dataset ? data : Dataset.fromTensors(data));
}

/** Refuses a test part where something is learnt or chosen, sealed or opened. */
export function refuseTest(where: string, data: unknown): void {
  const sealed = data instanceof SealedTest;
  if (!sealed && !(typeof data === "object" && data !== null && opened.has(data))) return;
  throw new DataError({
    where,
    problem: sealed ? "the test part is sealed" : "these rows are the opened test part",
    expected: "the training or the validation part",
    fix: "Only evaluate opens the test part, for the final figure.",
  });
}
