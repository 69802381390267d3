/** What `compile` decides: the objective, the optimizer, and the states that they need. */
import type { Executable, Session } from "../backends/backend.js";
import { type Program, State } from "../graph/node.js";
import { checkNames, type Optimizer } from "../optim/optimizer.js";

import { sameShape, sizeOf } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import type { Logs } from "./callbacks.js";
import { Figures } from "./figures.js";
import { firstFactor, LearningRate, scalar } from "./learning-rate.js";
import type { Objective } from "./measure.js";
import type { CompileOptions } from "./objective.js";
import { listStates, optimizerStates } from "./optimizer-states.js";
import { allTrainingStates, type TrainingStates, trainingStates } from "./programs.js";
import type { SavedStates } from "./saved-training.js";
import { hideProgram, showProgram } from "./shown.js";
import { termCount } from "./terms.js";
import { changing, type TrainedWeight } from "./trained.js";

/** How far a model's training has come; compiling anew does not set it back, so that no order and no random number returns. */
export class Course {
  /** Seed and number of steps, int32[2]: all random numbers of a step hang on them. */
  readonly random = new State("random", [2], "int32");
  /** Whether the seed has been written. */
  begun = false;
  /** Epochs that have begun: the number of the next one, which its order hangs on. */
  epochs = 0;
  /** Figures of all epochs that have ended. */
  readonly history: Logs[] = [];
}

export interface CompiledFacts {
  /** What compile was given; undefined for a trial. */
  readonly given?: CompileOptions | undefined;
  /** What a file has kept of training with this optimizer. */
  readonly saved?: SavedStates | undefined;
}

let nextCompiled = 0;

export class TrainingSetup {
  /** Tells its programs apart from those of others. */
  readonly id = nextCompiled++;
  readonly trained: readonly TrainedWeight[];
  readonly states: TrainingStates;
  readonly learningRate: LearningRate;
  readonly evaluationSums: State;
  readonly figures: Figures;
  readonly given: CompileOptions | undefined;
  /** What training goes on from, where it does not begin. */
  readonly #saved: ReadonlyMap<State, Tensor>;
  /** Trained weights and moving statistics. */
  readonly #changing: readonly TrainedWeight[];
  /** Training has begun with these states: the optimizer goes on from where it is. */
  started = false;
  /** Programs that do not depend on the data, made once. */
  readonly #programs = new Map<string, Promise<Executable>>();
  /** Steps between two reports, as many as fit the time for it. */
  chunk = 4;

  constructor(
    readonly objective: Objective,
    readonly optimizer: Optimizer,
    readonly course: Course = new Course(),
    { given, saved = {} }: CompiledFacts = {},
  ) {
    this.given = given;

    this.figures = new Figures(objective);
    this.#changing = changing(objective.network);
    this.trained = this.#changing.filter(({ weight }) => weight.trainable);
    checkNames(
      optimizer,
      this.trained.map(({ facts }) => facts),
    );
    const terms = optimizer.settings.accumulate === 1 ? 1 : termCount(objective);
    const states = optimizerStates(optimizer, this.#changing, terms);
    this.states = trainingStates(states, this.figures.size, course.random);
    this.learningRate = new LearningRate(optimizer, states);
    this.#saved = this.#fittingStates(saved);
    this.learningRate.updates = this.#saved.get(states.step)?.data[0] ?? 0;
    this.evaluationSums = new State("evaluation.sums", [2, this.figures.size], "float32");
  }

  /** Those that do not depend on the data. */
  get programs(): Promise<Executable>[] {
    return [...this.#programs.values()];
  }

  /** States that nobody needs without it. */
  get ownStates(): State[] {
    return [...allTrainingStates(this.states).filter((state) => state !== this.course.random), this.evaluationSums];
  }

  /**
   * All that training keeps besides the weights, by name: slots, averages, gradients of a window, the rate's factor, the counts of
   * updates and steps, the sums of the epoch. With the weights and `course.epochs` a run goes on from them to the bit; `started`
   * and `course.begun` say that they are not to be filled anew.
   */
  state(): ReadonlyMap<string, State> {
    const { optimizer, random, sums, badStep } = this.states;
    return new Map([...listStates(optimizer).kept, random, sums, badStep].map((state) => [state.name, state]));
  }

  /** Allocates the states; the first time, fills those that do not begin at 0. */
  async begin(session: Session, seed: number): Promise<void> {
    const { random, optimizer } = this.states;
    await session.allocate(allTrainingStates(this.states));
    const first = this.#saved.get(random) ?? new Tensor(Int32Array.of(seed | 0, 0), [2], "int32");
    if (!this.course.begun) await session.write(random, first);
    this.course.begun = true;
    if (!this.started) {
      await session.write(optimizer.learningRate, scalar(firstFactor(this.optimizer)));
      for (const { state, start } of this.#filled()) await session.write(state, filled(state, start));
      for (const [state, value] of this.#saved) if (state !== random) await session.write(state, value);
    }
    this.started = true;
    await this.learningRate.read(session);
  }

  /** What has been saved, if it is all that this optimizer keeps: one of another kind begins anew. */
  #fittingStates(saved: SavedStates): Map<State, Tensor> {
    const { random } = this.states;
    const found = new Map<State, Tensor>();
    for (const [name, state] of this.state()) {
      const value = Object.hasOwn(saved, name) ? saved[name] : undefined;
      if (value !== undefined && sameShape(value.shape, state.shape)) found.set(state, value);
    }
    // Sums are set when an epoch begins: other metrics do no harm.
    const whole = listStates(this.states.optimizer).kept.every((state) => found.has(state));
    return whole ? found : new Map([...found].filter(([state]) => state === random));
  }

  /** Slots that begin with a number other than 0. */
  #filled(): { state: State; start: number }[] {
    return this.trained.flatMap(({ weight, facts }) =>
      Object.entries(this.optimizer.slots(facts)).flatMap(([name, { start }]) => {
        const state = this.states.optimizer.slots.get(weight.state)?.[name];
        return state === undefined || typeof start !== "number" || start === 0 ? [] : { state, start };
      }),
    );
  }

  /** Puts what is shown in the weights' place, or the weights themselves back. */
  async swap(session: Session, to: "shown" | "raw"): Promise<void> {
    const { optimizer } = this.states;
    if (optimizer.hidden.size === 0) return;
    const make = (): Program =>
      to === "shown" ? showProgram(this.optimizer, optimizer) : hideProgram(this.optimizer, optimizer, this.#changing);
    await session.run(await this.#program(session, to, make));
  }

  /** The first weight, or memory of the optimizer, that is not finite. */
  async badState(session: Session): Promise<{ readonly name: string; readonly state: State } | undefined> {
    const { slots, averages } = this.states.optimizer;
    const weights = [...this.objective.network.weights].map(([name, { state }]) => ({ name, state }));
    const memory = [...[...slots.values()].flatMap((record) => Object.values(record)), ...averages.values()];
    const all = [...weights, ...memory.map((state) => ({ name: state.name, state }))];
    const bad = await session.firstNotFinite(all.map(({ state }) => state));
    return all.find(({ state }) => state === bad);
  }

  #program(session: Session, name: string, make: () => Program): Promise<Executable> {
    const executable = this.#programs.get(name) ?? session.compile(make());
    this.#programs.set(name, executable);
    return executable;
  }
}

const filled = ({ shape }: State, value: number): Tensor =>
  new Tensor(new Float64Array(sizeOf(shape)).fill(value), shape, "float64");
