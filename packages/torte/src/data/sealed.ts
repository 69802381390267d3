/** A test part that is looked at on purpose only: sealed until it is opened, and every opening is recorded. */
import { DataError, show } from "../errors.js";
import { Dataset } from "./dataset.js";
import { asList, isTensors, type Parts, type TensorOrList } from "./example.js";
import { isOpened, markOpened } from "./opened.js";
import { isRecord } from "./schema.js";

/** When a sealed test was opened, and what for. */
export interface Opening {
  /** ISO 8601. */
  readonly time: string;
  readonly purpose: string;
}

/**
 * A test part under a seal, as `split` gives it. `fit`, its `validationData` and callbacks cannot reach the rows; `model.evaluate` opens it, and so
 * does `open`. The figure of a second opening is no clean estimate any more: whoever has seen the first may have chosen by it.
 *
 * @example
 * import { split, tensor } from "torte";
 * const { test } = split({ x: tensor(new Float32Array(20), { shape: [10, 2] }), y: tensor(new Float32Array(10)) });
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
    return markOpened(this.#data.take(this.#data.length));
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

/** Whether it is an opened test, made of one, or has tensors of one. */
function isFromTest(data: unknown): boolean {
  if (typeof data !== "object" || data === null) return false;
  if (isOpened(data)) return true;
  const parts: readonly unknown[] = Array.isArray(data) ? data : isRecord(data) ? [data["x"], data["y"]] : [];
  return parts.some((part) => isTensors(part) && asList(part).some(isOpened));
}

/** Refuses a test part where something is learnt or chosen, sealed or opened. */
export function refuseTest(where: string, data: unknown): void {
  const sealed = data instanceof SealedTest;
  if (!sealed && !isFromTest(data)) return;
  throw new DataError({
    where,
    problem: sealed ? "the test part is sealed" : "these rows are the opened test part",
    expected: "the training or the validation part",
    fix: "Only evaluate opens the test part, for the final figure.",
  });
}
