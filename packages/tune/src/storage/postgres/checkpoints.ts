/** Checkpoints of trials in the database, so that any machine goes on with any trial. */
import type { Checkpoint, CheckpointStore } from "../checkpoints.js";
import type { Database } from "./database.js";

export class DatabaseCheckpoints implements CheckpointStore {
  readonly #database: Database;
  readonly #study: string;
  readonly #holder: string;

  /** `holder`: the job of a worker that writes, or the leader that removes. What it holds no more, it does not change. */
  constructor(database: Database, study: string, holder: string) {
    this.#database = database;
    this.#study = study;
    this.#holder = holder;
  }

  /** All parts, then older ones go: a reader finds a whole one at any time. */
  async write(trial: number, { epochs, models }: Checkpoint): Promise<void> {
    for (const [part, bytes] of models.entries())
      await this.#database.query(
        `WITH mine AS (SELECT FROM torte.worker WHERE study = $1 AND job = $7 FOR SHARE)
         INSERT INTO torte.checkpoint SELECT $1, $2, $3, $4, $5, $6 FROM mine
         ON CONFLICT (study, trial, epochs, part) DO UPDATE SET parts = EXCLUDED.parts, bytes = EXCLUDED.bytes`,
        this.#study,
        trial,
        epochs,
        part,
        models.length,
        Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
        this.#holder,
      );
    await this.#database.query(
      `DELETE FROM torte.checkpoint WHERE study = $1 AND trial = $2 AND epochs < $3
       AND EXISTS (SELECT FROM torte.worker WHERE study = $1 AND job = $4)`,
      this.#study,
      trial,
      epochs,
      this.#holder,
    );
  }

  async read(trial: number, atMost: number): Promise<Checkpoint | undefined> {
    const rows = await this.#database.query(
      `SELECT epochs, bytes FROM torte.checkpoint WHERE study = $1 AND trial = $2 AND epochs = (
         SELECT epochs FROM torte.checkpoint WHERE study = $1 AND trial = $2 AND epochs <= $3
         GROUP BY epochs HAVING count(*) = min(parts) ORDER BY epochs DESC LIMIT 1)
       ORDER BY part`,
      this.#study,
      trial,
      atMost,
    );
    if (rows.length === 0) return undefined;
    return { epochs: Number(rows[0]?.["epochs"]), models: rows.map(({ bytes }) => bytes as Uint8Array) };
  }

  async remove(trial: number): Promise<void> {
    await this.#database.query(
      `DELETE FROM torte.checkpoint WHERE study = $1 AND trial = $2
       AND EXISTS (SELECT FROM torte.study WHERE name = $1 AND leader = $3)`,
      this.#study,
      trial,
      this.#holder,
    );
  }
}
