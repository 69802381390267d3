/** Where the batches of an epoch come from: rows in the engine's memory, or a stream that passes through it. */
import type { Write } from "../backends/backend.js";
import type { Dataset, EpochPlan } from "../data/dataset.js";
import { Tensor } from "../tensor/tensor.js";
import type { Resident } from "./resident.js";

/** Steps that follow each other over one part of the engine's memory. */
export interface Portion {
  readonly data: Resident;
  /** Rows of a step. */
  readonly batch: number;
  /** Steps. */
  readonly count: number;
  /** What has to be in the engine before the first of them. */
  readonly writes: readonly Write[];
  /** The cursor behind the last step of the epoch, where that is known to be among these rows. */
  readonly end: number;
}

/** No cursor comes so far. */
export const NEVER = 2 ** 31 - 1;

/** The steps of one epoch. */
export interface EpochFeed {
  /** Where it is known before they have been gone through. */
  readonly steps: number | undefined;
  /** At most `most` steps; undefined behind the last one, or where the run has been aborted. */
  next(most: number): Promise<Portion | undefined>;
}

/** All epochs. A position is an epoch and a step in it, both from 0: the same one gives the same rows. */
export interface Feed {
  /** Rows that are known, for the verdict on a run; undefined of a stream. */
  readonly plan: EpochPlan | undefined;
  /** From a step on. Ends the epoch before. */
  open(epoch: number, from?: number): Promise<EpochFeed>;
  close(): Promise<void>;
}

/** What is asked of data that is all there. */
export type Plans = Pick<Dataset, "batchSize" | "plan"> & Partial<Pick<Dataset, "shuffle">>;

export interface FeedOptions {
  /** Default: as many as the data has. */
  readonly stepsPerEpoch?: number | undefined;
  /** The first epoch of the run; passes over the data are counted from there. Default 0. */
  readonly initialEpoch?: number | undefined;
}

export interface ResidentFeedOptions extends FeedOptions {
  readonly batch: number;
  /** The pass of the first epoch, which its order hangs on. Default 0. */
  readonly firstPass?: number | undefined;
  /** Brings the rows into the engine, in their order. */
  readonly load: (plan: EpochPlan) => Promise<Resident>;
}

/** Rows in the engine's memory, visited in the order of each pass over them. */
export class ResidentFeed implements Feed {
  readonly #planOf: Plans["plan"];
  readonly #options: ResidentFeedOptions;
  plan: EpochPlan | undefined;

  constructor(planOf: Plans["plan"], options: ResidentFeedOptions) {
    this.#planOf = planOf;
    this.#options = options;
  }

  async open(epoch: number, from = 0): Promise<EpochFeed> {
    const { batch, stepsPerEpoch, initialEpoch = 0, firstPass = 0 } = this.#options;
    const ofPass = async (pass: number): Promise<EpochPlan> => (this.plan = await this.#planOf(firstPass + pass));
    const done = epoch - initialEpoch;
    if (stepsPerEpoch === undefined) {
      const plan = await ofPass(done);
      const steps = Math.ceil(plan.order.length / batch);
      return new Passing(this.#options, { pass: done, plan, ofPass, step: from, left: steps - from, steps });
    }
    // Passes have the same number of rows.
    const { length } = (this.plan ?? (await ofPass(0))).order;
    const inPass = Math.ceil(length / batch);
    const first = done * stepsPerEpoch + from;
    const pass = Math.floor(first / inPass);
    const plan = await ofPass(pass);
    const left = stepsPerEpoch - from;
    return new Passing(this.#options, { pass, plan, ofPass, step: first % inPass, left, steps: stepsPerEpoch });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

interface Place {
  readonly pass: number;
  readonly plan: EpochPlan;
  readonly ofPass: (pass: number) => Promise<EpochPlan>;
  /** The next one of the pass. */
  readonly step: number;
  /** Steps of the epoch that are to come. */
  readonly left: number;
  readonly steps: number;
}

/** One epoch over passes through resident rows. */
class Passing implements EpochFeed {
  readonly steps: number;
  readonly #options: ResidentFeedOptions;
  #place: Place;
  #data: Resident | undefined;

  constructor(options: ResidentFeedOptions, place: Place) {
    this.#options = options;
    this.#place = place;
    this.steps = place.steps;
  }

  async next(most: number): Promise<Portion | undefined> {
    const { batch, load } = this.#options;
    if (this.#place.left <= 0) return undefined;
    const rows = this.#place.plan.order.length;
    if (this.#place.step >= Math.ceil(rows / batch)) return this.#nextPass(most);
    const { step, left, plan } = this.#place;
    const isNew = this.#data === undefined;
    const data = (this.#data ??= await load(plan));
    const size = Math.min(batch, rows - step * batch);
    const count = size < batch ? 1 : Math.min(most, left, Math.floor(rows / batch) - step);
    this.#place = { ...this.#place, step: step + count, left: left - count };
    const end = Math.min(rows, (step + left) * batch);
    const here = step + left <= Math.ceil(rows / batch);
    const writes = isNew && step > 0 ? [cursorAt(data, step * batch)] : [];
    return { data, batch: size, count, writes, end: here ? end : NEVER };
  }

  async #nextPass(most: number): Promise<Portion | undefined> {
    const { pass, ofPass } = this.#place;
    this.#data = undefined;
    this.#place = { ...this.#place, pass: pass + 1, plan: await ofPass(pass + 1), step: 0 };
    return this.next(most);
  }
}

const cursorAt = ({ cursor }: Resident, row: number): Write => ({
  state: cursor,
  value: new Tensor(Int32Array.of(row), [], "int32"),
});
