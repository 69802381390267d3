/** The learning rate of a run: what the schedule says, times a factor that is state. */
import type { Session, Write } from "../backends/backend.js";
import { numberIn, OptionError } from "../errors.js";
import type { Optimizer } from "../optim/optimizer.js";
import { rateAt } from "../optim/schedule.js";
import { Tensor } from "../tensor/tensor.js";
import { type OptimizerStates, RATES } from "./optimizer-states.js";

/**
 * Without a schedule the factor is the rate itself. Setting the rate sets the factor, so that a schedule goes on from there in
 * proportion.
 */
export class LearningRate {
  readonly #optimizer: Optimizer;
  readonly #states: OptimizerStates;
  #factor: number;
  /** The factor is not in the engine yet. */
  #changed = false;
  /** Updates done so far. */
  #updates = 0;

  constructor(optimizer: Optimizer, states: OptimizerStates) {
    this.#optimizer = optimizer;
    this.#states = states;
    this.#factor = firstFactor(optimizer);
  }

  /** What the engine has: after a pause others may have set it. */
  async read(session: Session): Promise<void> {
    await this.settle(session);
    const { learningRate, step } = this.#states;
    const [factor, updates] = await Promise.all([session.read(learningRate), session.read(step)]);
    this.#factor = factor.data[0] ?? 0;
    this.#updates = updates.data[0] ?? 0;
  }

  /** As `read`, whatever has been set meanwhile. */
  async reload(session: Session): Promise<void> {
    this.#changed = false;
    await this.read(session);
  }

  /** Number of updates that are done. */
  get updates(): number {
    return this.#updates;
  }

  set updates(count: number) {
    this.#updates = count;
  }

  /** Rate of the next update. */
  get value(): number {
    return this.#shape(this.#updates) * this.#factor;
  }

  /** @throws OptionError for what is no rate, or where the schedule is at 0 and no factor can change that. */
  set value(value: number) {
    const rate = numberIn("control", "learningRate", value, { min: 0 });
    const shape = this.#shape(this.#updates);
    if (shape === 0) {
      throw new OptionError({
        where: "control",
        problem: "learningRate cannot be set where the schedule is at 0",
        expected: "an update with a rate above 0",
        received: `update ${this.#updates}`,
        fix: "Set it later, or compile with a number and set every rate by hand.",
      });
    }
    this.#factor = rate / shape;
    this.#changed = true;
  }

  #shape(update: number): number {
    const { learningRate } = this.#optimizer;
    return typeof learningRate === "number" ? 1 : rateAt(learningRate, update);
  }

  /** Brings a new factor into the engine, and back as it is kept there. */
  async settle(session: Session): Promise<void> {
    if (!this.#changed) return;
    this.#changed = false;
    const { learningRate } = this.#states;
    await session.write(learningRate, scalar(this.#factor));
    this.#factor = (await session.read(learningRate)).data[0] ?? 0;
  }

  /** What has to be written before the next `count` updates. */
  writes(count: number): Write[] {
    const { rates } = this.#states;
    if (rates === undefined) return [];
    const first = this.#updates;
    const values = Float64Array.from({ length: count }, (_, i) => this.#shape(first + i) * this.#factor);
    return [
      { state: rates.values, value: new Tensor(values, [count], "float64") },
      { state: rates.first, value: new Tensor(Int32Array.of(first), [], "int32") },
    ];
  }

  /** The most steps of a run, so that the rates of all fit. */
  get most(): number {
    return this.#states.rates === undefined ? Infinity : RATES;
  }
}

/** What the factor is at first. */
export const firstFactor = ({ learningRate }: Optimizer): number =>
  typeof learningRate === "number" ? learningRate : 1;

/** In full precision, for the reference backend. */
export const scalar = (value: number): Tensor => new Tensor(Float64Array.of(value), [], "float64");
