/** What `compile` decides: the objective, the optimizer, and the states that they need. */
import { State } from "../graph/node.js";
import type { Optimizer } from "../optim/optimizers.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Logs } from "./callbacks.js";
import { type Objective, trainable, type TrainingStates, trainingStates } from "./programs.js";

export class Compiled {
  readonly states: TrainingStates;
  readonly evaluationSums: State;
  /** Training has begun with these states: the optimizer goes on from where it is. */
  started = false;
  /** Steps between two reports, as many as fit the time for it. */
  chunk = 4;

  constructor(
    readonly objective: Objective,
    readonly optimizer: Optimizer,
  ) {
    this.states = trainingStates(trainable(objective.network), optimizer, objective.metrics);
    this.evaluationSums = new State("evaluation.sums", [2 + objective.metrics.length], "float32");
  }

  /** Averages of summed figures. */
  logs(sums: Tensor): Logs {
    const [weight = 0, ...totals] = sums.data;
    const names = ["loss", ...this.objective.metrics.map(({ name }) => name)];
    return Object.fromEntries(names.map((name, i) => [name, (totals[i] ?? NaN) / weight]));
  }
}
