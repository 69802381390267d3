/** What became of a training run. */
import { OptionError } from "../errors.js";
import type { Direction } from "../metrics/metric.js";
import type { Logs } from "./callbacks.js";
import type { Diagnosis, Evidence } from "./diagnosis.js";
import type { NotFinite } from "./not-finite.js";

/** What a history asks of the run that it is of, for its verdict. */
export interface Run {
  readonly direction: (figure: string) => Direction | undefined;
  /** What its verdict rests on besides the figures. */
  readonly evidence: () => Promise<Pick<Evidence, "baselines" | "dead" | "dropout">>;
}

/** The epoch with the best value of a figure. */
export interface Best {
  /** From 0. */
  readonly epoch: number;
  readonly figure: string;
  readonly value: number;
}

/** What `fit` gives: the figures of each epoch. */
export class History {
  /** The figures of each finished epoch. */
  readonly epochs: Logs[] = [];
  /** Why training ended. */
  ended: "finished" | "stopped" | "aborted" = "finished";
  /** The epoch, from 0, whose weights the model was given back at the end; undefined where it kept those of the last step. */
  restoredEpoch: number | undefined;
  /** What was no longer finite, where a callback has kept it from being an error: by `control.stop()` in `onNotFinite`. */
  failure: NotFinite | undefined;
  readonly #run: Run;

  constructor(
    run: Run,
    /** The number of the first epoch in `epochs`. */
    readonly initialEpoch = 0,
  ) {
    this.#run = run;
  }

  /**
   * The epoch in which a figure was best, by its metric's direction; of equal ones the first. Default figure: valLoss, or loss
   * without validation data. Undefined before the first epoch, or where the figure never was finite.
   *
   * @throws OptionError for a figure that there is not, or that has no direction.
   */
  best(figure = this.epochs[0]?.["valLoss"] === undefined ? "loss" : "valLoss"): Best | undefined {
    if (this.epochs.length === 0) return undefined;
    const direction = this.#run.direction(figure);
    if (direction !== "max" && direction !== "min") {
      throw new OptionError({
        where: "history.best",
        problem: `${JSON.stringify(figure)} is no figure that has a best`,
        expected: Object.keys(this.epochs[0] ?? {}).join(", "),
      });
    }
    const sign = direction === "max" ? 1 : -1;
    let best: Best | undefined;
    this.epochs.forEach((logs, epoch) => {
      const value = logs[figure] ?? NaN;
      if (Number.isFinite(value) && (best === undefined || sign * value > sign * best.value))
        best = { epoch: this.initialEpoch + epoch, figure, value };
    });
    return best;
  }

  /**
   * What the curves say: overfitting, underfitting, too strong a regularizer, a rate too high, dead units, each with its numbers,
   * beside what the same answer for every example would give. Looks at up to 256 training rows with the weights as they are
   * now. Prints as text.
   *
   * @example
   * import { dense, input, sequential, tensor } from "torte";
   * const model = sequential(input({ shape: [1] }), dense({ units: 1, kernelInitializer: "zeros" }));
   * model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
   * const history = await model.fit({ x: tensor([[-1], [1]]), y: tensor([[2], [4]]) });
   * const diagnosis = await history.diagnose();
   * console.log(diagnosis.find("underfitting")?.numbers); // { loss: 10, firstLoss: 10, baselineLoss: 1 }
   */
  async diagnose(): Promise<Diagnosis> {
    const { epochs, failure } = this;
    const { diagnose } = await import("./diagnosis.js");
    return diagnose({ epochs, failure, ...(await this.#run.evidence()) });
  }
}
