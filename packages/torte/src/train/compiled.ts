/** What `compile` decides: the objective, the optimizer, and the states that they need. */
import type { Executable } from "../backends/backend.js";
import { State } from "../graph/node.js";
import type { Optimizer } from "../optim/optimizers.js";
import { Figures } from "./figures.js";
import type { Objective } from "./measure.js";
import { allTrainingStates, trainable, type TrainingStates, trainingStates } from "./programs.js";

/** How far a model's training has come; compiling anew does not set it back, so that no order and no random number returns. */
export class Course {
  /** Seed and number of steps, int32[2]: all random numbers of a step hang on them. */
  readonly random = new State("random", [2], "int32");
  /** Whether the seed has been written. */
  begun = false;
  /** Epochs that have begun: the number of the next one, which its order hangs on. */
  epochs = 0;
}

export class Compiled {
  readonly states: TrainingStates;
  readonly evaluationSums: State;
  readonly figures: Figures;
  /** Training has begun with these states: the optimizer goes on from where it is. */
  started = false;
  /** Of a program that looks whether weights and slots are finite. */
  finite: Executable | undefined;
  /** Steps between two reports, as many as fit the time for it. */
  chunk = 4;
  /** Learning rate of the next update, and whether the engine has it. */
  rate = { value: 0, written: false };

  constructor(
    readonly objective: Objective,
    readonly optimizer: Optimizer,
    readonly course: Course = new Course(),
  ) {
    this.figures = new Figures(objective);
    this.states = trainingStates(trainable(objective.network), optimizer, this.figures.size, course.random);
    this.evaluationSums = new State("evaluation.sums", [2, this.figures.size], "float32");
  }

  /** States that nobody needs without it. */
  get ownStates(): State[] {
    return [...allTrainingStates(this.states).filter((state) => state !== this.course.random), this.evaluationSums];
  }
}
