/** The leader's side of a study in a database: jobs go into the queue, and what workers tell comes back. */
import { randomUUID } from "node:crypto";
import { show, TorteError } from "torte";
import type { StudyEvent } from "../../study/events.js";
import type { Executor, Job, JobEnd } from "../../study/leader.js";
import type { Report } from "../../study/trial-run.js";
import type { CheckpointStore } from "../checkpoints.js";
import { DatabaseCheckpoints } from "./checkpoints.js";
import { Database, type SharedStorage } from "./database.js";
import { BEAT_MS, type FromWorker, POLL_MS, type QueuedJob } from "./messages.js";

interface Running {
  readonly report: Report;
  readonly ended: (end: JobEnd) => void;
  readonly since: number;
  worker: string | undefined;
  /** The leader has said that it ends: what its worker says after that is of no account. */
  isOver: boolean;
}

export interface QueueOptions extends SharedStorage {
  readonly study: string;
  /** Whose folder it is: who holds the folder's lock, may take the study over from a leader before. */
  readonly holder: string;
  readonly header: StudyEvent;
  readonly signal: AbortSignal | undefined;
}

export class QueueExecutor implements Executor {
  readonly #options: QueueOptions;
  readonly #database: Database;
  readonly #checkpoints: CheckpointStore;
  readonly #leader: string;
  readonly #lease: number;
  readonly #running = new Map<string, Running>();
  #workers: readonly { readonly id: string; readonly silent: number }[] = [];
  #widening: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;
  #closed = false;
  #isStudyOver = false;
  #loop: Promise<void>;
  #failure: { readonly error: unknown } | undefined;

  private constructor(options: QueueOptions, database: Database, leader: string) {
    this.#options = options;
    this.#database = database;
    this.#checkpoints = new DatabaseCheckpoints(database, options.study, leader);
    this.#leader = leader;
    this.#lease = 1000 * (options.lease ?? 60);
    options.signal?.addEventListener("abort", this.#abort, { once: true });
    this.#loop = this.#follow();
  }

  /** @throws TorteError where another leader has the study. */
  static async open(options: QueueOptions): Promise<QueueExecutor> {
    const { study, holder, header, lease = 60, signal } = options;
    const database = await Database.open(options, study, signal);
    try {
      const leader = randomUUID();
      const taken = await database.query(
        `INSERT INTO torte.study VALUES ($1, $2, $3, $4, $5, now(), false)
         ON CONFLICT (name) DO UPDATE SET leader = $2, holder = $3, queue = $4, header = $5, seen = now(), over = false
         WHERE torte.study.holder = $3 OR torte.study.over OR now() - torte.study.seen > make_interval(secs => $6)
         RETURNING name`,
        study,
        leader,
        holder,
        database.schema,
        JSON.stringify(header),
        lease,
      );
      if (taken.length === 0) throw led(study, lease);
      // Of the leader before: nobody waits for it.
      await database.query("UPDATE torte.worker SET job = NULL WHERE study = $1", study);
      await database.query("DELETE FROM torte.message WHERE study = $1", study);
      return new QueueExecutor(options, database, leader);
    } catch (error) {
      await database.close();
      throw error;
    }
  }

  /** As many as work for it; where there is none yet, one job waits in the queue. */
  get width(): number {
    return Math.max(1, this.#workers.filter(({ silent }) => silent < this.#lease).length);
  }

  /** Resolves when there are more workers than before. */
  wider(): Promise<void> {
    if (this.#widening === undefined) {
      let resolve: () => void = () => undefined;
      const promise = new Promise<void>((done) => (resolve = done));
      this.#widening = { promise, resolve };
    }
    return this.#widening.promise;
  }

  async run(job: Job, report: Report): Promise<JobEnd> {
    this.#throwFailure();
    if (this.#closed) return { state: "aborted" };
    const id = randomUUID();
    const end = new Promise<JobEnd>((ended) => {
      this.#running.set(id, { report, ended, since: Date.now(), worker: undefined, isOver: false });
    });
    const queued: QueuedJob = { leader: this.#leader, job };
    await this.#database.send(id, queued);
    const result = await end;
    this.#running.delete(id);
    this.#throwFailure();
    return result;
  }

  release(trial: number): void {
    void Promise.resolve(this.#checkpoints.remove(trial)).catch(() => undefined);
  }

  /** Reads what workers tell, and looks after them, until it is closed. */
  async #follow(): Promise<void> {
    let beaten = 0;
    while (!this.#closed) {
      try {
        await this.#read();
        if (Date.now() - beaten >= BEAT_MS) {
          beaten = Date.now();
          await this.#beat();
        }
      } catch (error) {
        this.#fail(error);
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** Without the database there is no study: all that runs ends, and whoever waits is told. */
  #fail(error: unknown): void {
    if (this.#closed) return;
    this.#failure = { error };
    for (const { ended } of this.#running.values()) ended({ state: "aborted" });
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error as Error;
  }

  async #read(): Promise<void> {
    const rows = await this.#database.query(
      // What is another leader's is left to it: this one may have been silent for so long that it leads no more.
      `WITH told AS (DELETE FROM torte.message WHERE study = $1
         AND EXISTS (SELECT FROM torte.study WHERE name = $1 AND leader = $2) RETURNING id, job, body)
       SELECT job, body FROM told ORDER BY id`,
      this.#options.study,
      this.#leader,
    );
    for (const { job, body } of rows) await this.#heard(String(job), body as FromWorker);
  }

  async #heard(id: string, message: FromWorker): Promise<void> {
    const running = this.#running.get(id);
    if (running === undefined || running.isOver) return;
    if (message.say === "taken") {
      running.worker = message.worker;
      return;
    }
    if (message.say === "end") {
      running.isOver = true;
      running.ended(message.end);
      return;
    }
    const numbers = (values: readonly (number | null)[]): number[] => values.map((value) => value ?? NaN);
    const { epoch, values, seconds, violations } = message;
    const result = { values: numbers(values), seconds, worker: running.worker ?? "" };
    if (await running.report(epoch, result)) return;
    await this.#end(id, running, { state: "stopped", violations: numbers(violations) });
  }

  /** Ends a job whose worker may still be at it. */
  async #end(id: string, running: Running, end: JobEnd): Promise<void> {
    running.isOver = true;
    await this.#database.query(
      "UPDATE torte.worker SET job = NULL WHERE study = $1 AND job = $2",
      this.#options.study,
      id,
    );
    await this.#database.cancel(id);
    running.ended(end);
  }

  /** Its own heartbeat; who else is there; and what is lost. */
  async #beat(): Promise<void> {
    const { study } = this.#options;
    const mine = await this.#database.query(
      "UPDATE torte.study SET seen = now() WHERE name = $1 AND leader = $2 RETURNING name",
      study,
      this.#leader,
    );
    if (mine.length === 0) throw led(study, this.#lease / 1000);
    const before = this.width;
    const rows = await this.#database.query(
      "SELECT id, 1000 * extract(epoch FROM now() - seen) AS silent FROM torte.worker WHERE study = $1",
      study,
    );
    this.#workers = rows.map(({ id, silent }) => ({ id: String(id), silent: Number(silent) }));
    if (this.width > before) {
      this.#widening?.resolve();
      this.#widening = undefined;
    }
    // While the server was away, nobody could be heard.
    if (Date.now() - this.#database.reachedSince < this.#lease) return;
    for (const [id, running] of this.#running)
      if (!running.isOver && (await this.#isLost(id, running))) await this.#end(id, running, { state: "lost" });
  }

  async #isLost(id: string, { worker, since }: Running): Promise<boolean> {
    if (worker !== undefined) return !this.#workers.some((one) => one.id === worker && one.silent < this.#lease);
    if (Date.now() - since < this.#lease) return false;
    // Whoever has taken it has died before it could say so.
    const state = await this.#database.stateOf(id);
    return state !== "created" && state !== "retry";
  }

  readonly #abort = (): void => {
    for (const { ended } of this.#running.values()) ended({ state: "aborted" });
  };

  /** The study is over: workers may go home. */
  finished(): void {
    this.#isStudyOver = true;
  }

  async close(): Promise<void> {
    this.#options.signal?.removeEventListener("abort", this.#abort);
    this.#closed = true;
    await this.#loop;
    if (this.#isStudyOver && this.#failure === undefined)
      await this.#database
        .query("DELETE FROM torte.checkpoint WHERE study = $1", this.#options.study)
        .catch(() => undefined);
    if (this.#failure === undefined)
      await this.#database
        .query(
          // Another leader may come at once.
          "UPDATE torte.study SET over = $3, seen = now() - interval '1 day' WHERE name = $1 AND leader = $2",
          this.#options.study,
          this.#leader,
          this.#isStudyOver,
        )
        .catch(() => undefined);
    await this.#database.close();
  }
}

function led(study: string, lease: number): TorteError {
  return new TorteError({
    where: show(study),
    problem: "another process leads this study",
    fix: `Wait until it ends; where it is dead, ${lease} seconds after its last heartbeat will do.`,
  });
}
