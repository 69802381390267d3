/** What `compile` decides: the objective, the optimizer, and the states that they need. */
import { State } from "../graph/node.js";
import type { Optimizer } from "../optim/optimizers.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Logs } from "./callbacks.js";
import { figureNames, type Objective, trainable, type TrainingStates, trainingStates } from "./programs.js";

export class Compiled {
  readonly states: TrainingStates;
  readonly evaluationSums: State;
  readonly #figures: readonly string[];
  /** Training has begun with these states: the optimizer goes on from where it is. */
  started = false;
  /** Steps between two reports, as many as fit the time for it. */
  chunk = 4;

  constructor(
    readonly objective: Objective,
    readonly optimizer: Optimizer,
  ) {
    this.#figures = figureNames(objective.goals);
    this.states = trainingStates(trainable(objective.network), optimizer, this.#figures.length);
    this.evaluationSums = new State("evaluation.sums", [1 + this.#figures.length], "float32");
  }

  /** Averages of summed figures. */
  logs(sums: Tensor): Logs {
    const [weight = 0, ...totals] = sums.data;
    return Object.fromEntries(this.#figures.map((name, i) => [name, (totals[i] ?? NaN) / weight]));
  }
}
