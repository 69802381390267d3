/** A worker's side of a study in a database: it takes jobs from the queue until the study is over. */
import { hostname } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { randomUUID } from "node:crypto";
import { OptionError } from "torte";
import type { StudyEvent } from "../../study/events.js";
import { InProcess, type InProcessOptions } from "../../study/in-process.js";
import { DatabaseCheckpoints } from "./checkpoints.js";
import { Database, type SharedStorage } from "./database.js";
import { BEAT_MS, type FromWorker, POLL_MS, type QueuedJob } from "./messages.js";

export interface QueueWorkerOptions extends SharedStorage {
  readonly study: string;
  readonly signal: AbortSignal | undefined;
  readonly executor: Omit<InProcessOptions, "checkpoints" | "keeps" | "signal">;
  /** @throws where the leader's study is another one. */
  readonly check: (header: StudyEvent) => void;
}

/** Works for a study until it is over, or until `signal`. @throws where the database is away for too long, and where the study is another one. */
export async function serveQueue(options: QueueWorkerOptions): Promise<void> {
  const database = await Database.open(options, options.study, options.signal);
  const worker = new QueueWorker(options, database);
  try {
    await worker.serve();
  } finally {
    await worker.close();
    await database.close();
  }
}

interface Current {
  readonly id: string;
  readonly leader: string;
  readonly controller: AbortController;
}

class QueueWorker {
  readonly #options: QueueWorkerOptions;
  readonly #database: Database;
  readonly #id = `${hostname()}:${process.pid}:${randomUUID().slice(0, 8)}`;
  #current: Current | undefined;
  #leader: string | undefined;
  #checked: string | undefined;
  #isOver = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(options: QueueWorkerOptions, database: Database) {
    this.#options = options;
    this.#database = database;
  }

  get #ends(): boolean {
    return this.#isOver || this.#failure !== undefined || this.#options.signal?.aborted === true;
  }

  async serve(): Promise<void> {
    await this.#beat();
    const beating = this.#keepBeating();
    try {
      while (!this.#ends) {
        const fetched = this.#leader === undefined ? undefined : await this.#database.fetch();
        if (fetched === undefined) await pause(POLL_MS);
        else await this.#run(fetched.id, fetched.data as QueuedJob);
      }
    } finally {
      this.#isOver = true;
      await beating;
    }
    if (this.#failure !== undefined) throw this.#failure.error as Error;
  }

  async close(): Promise<void> {
    await this.#database
      .query("DELETE FROM torte.worker WHERE study = $1 AND id = $2", this.#options.study, this.#id)
      .catch(() => undefined);
  }

  async #keepBeating(): Promise<void> {
    while (!this.#ends) {
      await pause(BEAT_MS);
      try {
        await this.#beat();
      } catch (error) {
        this.#failure ??= { error };
        this.#current?.controller.abort();
      }
    }
  }

  /** Says that it lives; hears who leads, whether the study is over, and whether its job goes on. */
  async #beat(): Promise<void> {
    const { study } = this.#options;
    await this.#database.query(
      "INSERT INTO torte.worker VALUES ($1, $2, now()) ON CONFLICT (study, id) DO UPDATE SET seen = now()",
      study,
      this.#id,
    );
    const [row] = await this.#database.query(
      "SELECT leader, queue, header, over FROM torte.study WHERE name = $1",
      study,
    );
    if (row === undefined) return;
    if (row["queue"] !== this.#database.schema)
      throw new OptionError({
        where: `the study ${study}`,
        problem: "its leader runs another version of pg-boss",
        expected: String(row["queue"]),
        received: this.#database.schema,
        fix: "Install the same version for all processes of the study.",
      });
    const leader = String(row["leader"]);
    if (this.#checked !== leader) {
      this.#options.check(row["header"] as StudyEvent);
      this.#checked = leader;
    }
    this.#leader = leader;
    const current = this.#current;
    // A study of before that is over is waited for: it may be begun anew.
    if (row["over"] === true) this.#isOver = true;
    if (current === undefined) return;
    const goesOn = current.leader === leader && (await this.#database.stateOf(current.id)) === "active";
    if (!goesOn) current.controller.abort();
  }

  async #run(id: string, { leader, job }: QueuedJob): Promise<void> {
    if (leader !== this.#leader) await this.#beat();
    if (leader !== this.#leader) return this.#database.complete(id); // of a leader that is no more
    const controller = new AbortController();
    this.#current = { id, leader, controller };
    const { executor, study } = this.#options;
    const checkpoints = new DatabaseCheckpoints(this.#database, study, id);
    const kept = new InProcess({ ...executor, checkpoints, keeps: 0, signal: controller.signal });
    const nulls = (values: readonly number[]) => values.map((value) => (Number.isFinite(value) ? value : null));
    try {
      await this.#database.query("UPDATE torte.worker SET job = $3 WHERE study = $1 AND id = $2", study, this.#id, id);
      await this.#tell(id, { say: "taken", worker: this.#id });
      const end = await kept.run(job, async (epoch, { values, seconds }, violations = []) => {
        const message = { epoch, values: nulls(values), seconds, violations: nulls(violations) };
        await this.#tell(id, { say: "epoch", ...message });
        return !controller.signal.aborted;
      });
      // Its leader has ended it, or is gone.
      if (!controller.signal.aborted) await this.#tell(id, { say: "end", end });
    } finally {
      this.#current = undefined;
      await kept.close();
    }
    await this.#database.complete(id);
  }

  async #tell(job: string, message: FromWorker): Promise<void> {
    await this.#database.query(
      "INSERT INTO torte.message (study, job, body) VALUES ($1, $2, $3)",
      this.#options.study,
      job,
      JSON.stringify(message),
    );
  }
}
