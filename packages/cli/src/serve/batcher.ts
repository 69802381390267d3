/** Requests that come together go through the model together. */
import type { Prediction, Predictor } from "@torte/data";
import type { Cell } from "torte";

/** What is told of a row, or why nothing can be. */
export type Answer = Prediction | { readonly problem: string; readonly column: string };

interface Waiting {
  /** Cells in the order of the model's columns. */
  readonly rows: readonly (readonly Cell[])[];
  /** Whether nobody waits for the answers any more. */
  readonly hasGone: () => boolean;
  readonly resolve: (answers: readonly Answer[]) => void;
  readonly reject: (error: unknown) => void;
}

/** More rows than these wait for no answer. */
const MOST_WAITING = 20_000;
/** Rows that go through the model at once. */
const MOST_TOGETHER = 512;

/** There is more to do than can be done soon. */
export class BusyError extends Error {}

/** Starts at once where nothing runs; what comes meanwhile makes the next batch. */
export class Batcher {
  readonly #predictor: Predictor;
  #waiting: Waiting[] = [];
  #rows = 0;
  #running = false;
  /** Batches so far, and rows in them. */
  batches = 0;
  rows = 0;

  constructor(predictor: Predictor) {
    this.#predictor = predictor;
  }

  /** @throws BusyError where too many rows are waiting. */
  predict(rows: readonly (readonly Cell[])[], hasGone = (): boolean => false): Promise<readonly Answer[]> {
    if (this.#rows + rows.length > MOST_WAITING) return Promise.reject(new BusyError("too many rows are waiting"));
    this.#rows += rows.length;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ rows, hasGone, resolve, reject });
      if (!this.#running) {
        this.#running = true;
        // What has come in the same turn of the event loop goes along.
        setImmediate(() => void this.#run());
      }
    });
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#next();
      const all = batch.flatMap(({ rows }) => rows);
      if (all.length === 0) continue;
      try {
        const { predictions, problems } = await this.#predictor.predict(
          all.length,
          (column, row) => all[row]?.[column] ?? null,
        );
        const bad = new Map(problems.map((problem) => [problem.row, problem]));
        let at = 0;
        for (const { rows, resolve } of batch) {
          const from = at;
          resolve(
            rows.map((_, i): Answer => {
              const problem = bad.get(from + i);
              if (problem !== undefined) return { column: problem.column, problem: problem.problem };
              return predictions[from + i] ?? { column: "", problem: "there is no answer" };
            }),
          );
          at += rows.length;
        }
        this.batches++;
        this.rows += all.length;
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#running = false;
  }

  /** Those that came first, and no more than fit; clients that have gone are left out. */
  #next(): readonly Waiting[] {
    const batch: Waiting[] = [];
    let rows = 0;
    while (this.#waiting.length > 0) {
      const [first] = this.#waiting;
      if (first === undefined || (batch.length > 0 && rows + first.rows.length > MOST_TOGETHER)) break;
      this.#waiting.shift();
      this.#rows -= first.rows.length;
      if (first.hasGone()) first.resolve([]);
      else {
        batch.push(first);
        rows += first.rows.length;
      }
    }
    return batch;
  }
}
