/** The checkpoints of a run: when one is due, and how it is written while the engine goes on. */
import { safetensorsPieces } from "../../data/safetensors.js";
import { OptionError } from "../../errors.js";
import type { Tensor } from "../../tensor/tensor.js";
import { namedArrays, readAll, type RunArrays } from "./arrays.js";
import { CheckpointFolder, type FileRecord, listCheckpoints } from "./folder.js";
import type { CheckpointPlan } from "./options.js";
import { recordMetadata, type RunRecord } from "./record.js";

/** What is told of the run when a checkpoint is taken. */
export interface Moment {
  readonly record: RunRecord;
  /** What metrics have collected, by names in the file. */
  readonly collected: Readonly<Record<string, Tensor>>;
  /** Counts the weights that have been kept; 0 for none. */
  readonly kept: number;
}

/** Weights that have been kept, and the file that has them already. */
interface BestFile {
  readonly kept: number;
  readonly file: FileRecord;
}

export class Checkpoints {
  readonly #folder: CheckpointFolder;
  readonly #every: CheckpointPlan["every"];
  readonly #arrays: RunArrays;
  #best: BestFile | undefined;
  #steps = 0;
  #epochs = 0;
  #taken = performance.now();
  #writing: Promise<void> = Promise.resolve();
  /** Settles when the weights that have been kept are no longer needed in the engine. */
  #readingBest: Promise<unknown> = Promise.resolve();

  private constructor(folder: CheckpointFolder, every: CheckpointPlan["every"], arrays: RunArrays) {
    this.#folder = folder;
    this.#every = every;
    this.#arrays = arrays;
  }

  /**
   * `resumed` is the folder that the run goes on from, and where the weights are that it has kept.
   *
   * @throws OptionError for the folder of another run; DataError for one that cannot be written.
   */
  static async open(
    { folder, every, keep }: CheckpointPlan,
    arrays: RunArrays,
    resumed: { readonly folder: string; readonly best: FileRecord | undefined } | undefined,
  ): Promise<Checkpoints> {
    const goesOn = resumed?.folder === folder;
    if (!goesOn && (await listCheckpoints(folder)).length > 0) {
      throw new OptionError({
        where: "fit, checkpoint",
        problem: `${folder} has checkpoints already`,
        expected: "a new or an empty folder",
        fix: `To go on from them, give resume: ${JSON.stringify(folder)}.`,
      });
    }
    const checkpoints = new Checkpoints(await CheckpointFolder.open(folder, keep), every, arrays);
    if (goesOn && resumed.best !== undefined) checkpoints.#best = { kept: 1, file: resumed.best };
    return checkpoints;
  }

  /** Steps that may run until a checkpoint is due. */
  get stepsLeft(): number {
    return Math.max(1, this.#every.steps - this.#steps);
  }

  /** So many steps are done. */
  count(steps: number): void {
    this.#steps += steps;
  }

  /** Whether a checkpoint is due between steps. */
  get isDue(): boolean {
    return this.#steps >= this.#every.steps || performance.now() - this.#taken >= 1000 * this.#every.seconds;
  }

  /** Whether a checkpoint is due after an epoch that has just ended. */
  isDueAfterEpoch(): boolean {
    return ++this.#epochs >= this.#every.epochs || this.isDue;
  }

  /**
   * Takes a checkpoint: the engine copies its arrays, and goes on while they are written. Waits for the checkpoint before.
   *
   * @throws DataError where that could not be written.
   */
  async take(describe: () => Promise<Moment>): Promise<void> {
    await this.#writing;
    const { session, copy } = this.#arrays;
    const all = namedArrays(this.#arrays);
    const [moment] = await Promise.all([describe(), session.snapshot(copy, [...all.values()])]);
    [this.#steps, this.#epochs, this.#taken] = [0, 0, performance.now()];
    // Histories and states go on changing while this is written.
    this.#writing = this.#write(moment, recordMetadata(moment.record));
    this.#writing.catch(() => undefined); // told by the next that waits for it
  }

  async #write({ record, collected, kept }: Moment, metadata: Readonly<Record<string, string>>): Promise<void> {
    const { session, copy, best, weights } = this.#arrays;
    const known = this.#best?.kept === kept ? this.#best.file : undefined;
    const reading = kept === 0 || known !== undefined ? undefined : readAll(session, best, weights);
    this.#readingBest = reading ?? Promise.resolve();
    const bestWeights = await reading;
    const arrays = { ...(await readAll(session, copy, namedArrays(this.#arrays))), ...collected };

    const entry = await this.#folder.add(
      record.state.place,
      safetensorsPieces(arrays, metadata),
      bestWeights === undefined ? known : safetensorsPieces(bestWeights, {}),
    );
    if (entry.best !== undefined) this.#best = { kept, file: entry.best };
  }

  /** Before other weights are kept in place of those that may still be on their way to the disk. */
  async bestIsFree(): Promise<void> {
    await this.#readingBest.catch(() => undefined);
  }

  /** Waits for what is being written. @throws DataError where it could not be. */
  async written(): Promise<void> {
    await this.#writing;
  }
}
