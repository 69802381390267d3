/**
 * A study's place in a PostgreSQL database: pg-boss has the queue of its jobs, a schema of its own what leader and workers tell each other. A
 * server that is away for a while is waited for.
 */
import { setTimeout as pause } from "node:timers/promises";
import { OptionError, show, TrainingError } from "torte";

/** What is used of pg-boss, the same in its versions 10 to 12. */
interface Boss {
  on(event: "error", listener: (error: Error) => void): unknown;
  start(): Promise<unknown>;
  stop(options: object): Promise<void>;
  createQueue(name: string, options: object): Promise<unknown>;
  send(name: string, data: object, options: object): Promise<string | null>;
  fetch(name: string): Promise<readonly { readonly id: string; readonly data: unknown }[] | null>;
  complete(name: string, id: string): Promise<unknown>;
  cancel(name: string, id: string): Promise<unknown>;
  getJobById(name: string, id: string): Promise<{ readonly state: string } | null>;
  getDb(): { executeSql(text: string, values: unknown[]): Promise<{ readonly rows: readonly Row[] }> };
}

type Row = Readonly<Record<string, unknown>>;
interface LoadedBoss {
  readonly Boss: BossClass;
  readonly schema: string;
}

type BossClass = new (options: object) => Boss;

/** Where a study is that several machines work for. */
export interface SharedStorage {
  /** Of a PostgreSQL database: "postgres://user:password@host:5432/database". */
  readonly url: string;
  /** What the study is called there. Default: the folder's name. */
  readonly study?: string;
  /** Seconds of silence after which a worker is taken for dead, and another one goes on with its trial. Default 60. */
  readonly lease?: number;
}

/** A fetched job. */
export interface Fetched {
  readonly id: string;
  readonly data: unknown;
}

const TABLES = `
  CREATE SCHEMA IF NOT EXISTS torte;
  CREATE TABLE IF NOT EXISTS torte.study (
    name text PRIMARY KEY, leader uuid NOT NULL, holder text NOT NULL, queue text NOT NULL, header jsonb NOT NULL, seen timestamptz NOT NULL, over boolean NOT NULL);
  CREATE TABLE IF NOT EXISTS torte.worker (
    study text NOT NULL, id text NOT NULL, seen timestamptz NOT NULL, job uuid, PRIMARY KEY (study, id));
  CREATE TABLE IF NOT EXISTS torte.message (
    id bigserial PRIMARY KEY, study text NOT NULL, job uuid NOT NULL, body jsonb NOT NULL);
  CREATE INDEX IF NOT EXISTS message_study ON torte.message (study, id);
  CREATE TABLE IF NOT EXISTS torte.checkpoint (
    study text NOT NULL, trial integer NOT NULL, epochs integer NOT NULL, part integer NOT NULL, parts integer NOT NULL,
    bytes bytea NOT NULL, PRIMARY KEY (study, trial, epochs, part));
`;

/** Of all who make the tables, one at a time: "torte" as a number. */
const LOCK = 0x746f7274;

/** A job is nobody's after a day at the latest: pg-boss has no longer ones. Leases end it much earlier where its worker is dead. */
const EXPIRE_SECONDS = 86_000;

/** Between two attempts to reach the server, and how long it may be away. */
const RETRY_MS = 500;
const PATIENCE_MS = 15 * 60_000;

/** How long a server that is not there is waited for at the beginning: it may be about to start. */
const OPENING_MS = 10_000;

/** What PostgreSQL says, or the socket, where the server is not there, or has just gone, or has undone a request for another one's sake. */
const AWAY =
  /^(08|57P0|53300|40001|40P01|ECONN|EPIPE|ENOENT|ETIMEDOUT|EHOSTUNREACH|EAI_AGAIN)|Connection terminated|timeout exceeded|connection is closed|Client was closed/;

function isAway(error: unknown): boolean {
  const {
    code,
    message = "",
    errors = [],
  } = Object(error) as {
    readonly code?: unknown;
    readonly message?: string;
    readonly errors?: readonly unknown[];
  };
  return (typeof code === "string" && AWAY.test(code)) || AWAY.test(message) || errors.some(isAway);
}

/** Of those who make the same tables at the same time, one is refused: the next time they are there. */
const isMadeByOther = (error: unknown): boolean =>
  /^(23505|42P06|42P07|42710)$/.test(String((Object(error) as { readonly code?: unknown }).code));

const isThere = (error: unknown): boolean => (Object(error) as { readonly code?: unknown }).code === "23505";

export class Database {
  readonly #boss: Boss;
  readonly #queue: string;
  readonly #signal: AbortSignal | undefined;
  /** The schema that has the queue: pg-boss of one version makes nothing of another one's. */
  readonly schema: string;
  /** When the server was reached again after it had been away. */
  reachedSince = Date.now();

  private constructor(boss: Boss, schema: string, queue: string, signal: AbortSignal | undefined) {
    this.#boss = boss;
    this.schema = schema;
    this.#queue = queue;
    this.#signal = signal;
  }

  /** @throws OptionError where pg-boss is not installed, TrainingError where the database cannot be reached. */
  static async open(storage: SharedStorage, study: string, signal: AbortSignal | undefined): Promise<Database> {
    const boss = await loadBoss();
    const begun = Date.now();
    for (;;) {
      try {
        return await Database.#connect(boss, storage.url, study, signal);
      } catch (error) {
        const isOver = Date.now() - begun > OPENING_MS || signal?.aborted === true;
        if (!(isAway(error) || isMadeByOther(error)) || isOver) throw unreachable(storage.url, error);
        await pause(RETRY_MS);
      }
    }
  }

  static async #connect(
    { Boss, schema }: LoadedBoss,
    url: string,
    study: string,
    signal: AbortSignal | undefined,
  ): Promise<Database> {
    const boss = new Boss({ connectionString: url, schema, max: 4, application_name: "torte" });
    // What happens between two requests, the next one tells.
    boss.on("error", () => undefined);
    const queue = `torte-${study}`;
    try {
      await boss.start();
      await boss.getDb().executeSql(`SELECT pg_advisory_xact_lock(${LOCK}); ${TABLES}`, []);
      // Of an old queue all is as it was.
      await boss.createQueue(queue, { retryLimit: 0, expireInSeconds: EXPIRE_SECONDS }).catch((error: unknown) => {
        if (!isThere(error)) throw error;
      });
      return new Database(boss, schema, queue, signal);
    } catch (error) {
      await boss.stop({ graceful: false, close: true }).catch(() => undefined);
      throw error;
    }
  }

  /** Runs a statement; rows of what it returns. */
  query(text: string, ...values: readonly unknown[]): Promise<readonly Row[]> {
    return this.#patiently(async () => (await this.#boss.getDb().executeSql(text, [...values])).rows);
  }

  /** Puts a job into the queue; once, however often the connection breaks. */
  async send(id: string, data: object): Promise<void> {
    await this.#patiently(() =>
      this.#boss
        .send(this.#queue, data, { id, retryLimit: 0, expireInSeconds: EXPIRE_SECONDS })
        .catch((error: unknown) => {
          if (!isThere(error)) throw error;
        }),
    );
  }

  /** A job that nobody else has, if there is one. */
  fetch(): Promise<Fetched | undefined> {
    return this.#patiently(async () => (await this.#boss.fetch(this.#queue))?.[0]);
  }

  async complete(id: string): Promise<void> {
    await this.#patiently(() => this.#boss.complete(this.#queue, id));
  }

  async cancel(id: string): Promise<void> {
    await this.#patiently(() => this.#boss.cancel(this.#queue, id));
  }

  /** What pg-boss says of a job: "created" until somebody has it, then "active". */
  stateOf(id: string): Promise<string | undefined> {
    return this.#patiently(async () => (await this.#boss.getJobById(this.#queue, id))?.state);
  }

  async close(): Promise<void> {
    await this.#boss.stop({ graceful: false, close: true }).catch(() => undefined);
  }

  async #patiently<T>(ask: () => Promise<T>): Promise<T> {
    let lost: number | undefined;
    for (;;) {
      try {
        const answer = await ask();
        if (lost !== undefined) this.reachedSince = Date.now();
        return answer;
      } catch (error) {
        lost ??= Date.now();
        const isOver = Date.now() - lost > PATIENCE_MS || this.#signal?.aborted === true;
        if (!isAway(error) || isOver) throw error;
        await pause(RETRY_MS);
      }
    }
  }
}

/** The user's own: nothing of it is loaded by who does not ask for it. */
async function loadBoss(): Promise<LoadedBoss> {
  const name = "pg-boss"; // no bundler shall look for it
  let found: { readonly PgBoss?: BossClass; readonly default?: BossClass };
  try {
    found = (await import(name)) as typeof found;
  } catch (error) {
    throw new OptionError({
      where: "storage",
      problem: "pg-boss is not installed, or does not run here",
      expected: "pg-boss 10 with Node 20, 12 with Node 22.12 or newer",
      received: error instanceof Error ? (error.message.split("\n")[0] ?? "") : show(error),
      fix: "npm install pg-boss@10, or npm install pg-boss@12.",
    });
  }
  // Version 12 has the class by its name.
  if (found.PgBoss !== undefined) return { Boss: found.PgBoss, schema: "torte_boss_12" };
  if (found.default !== undefined) return { Boss: found.default, schema: "torte_boss_10" };
  throw new OptionError({ where: "storage", problem: "pg-boss is another one", expected: "version 10 to 12" });
}

function unreachable(url: string, error: unknown): TrainingError {
  const failure = new TrainingError({
    where: url.replace(/\/\/[^@/]*@/, "//"), // nobody's password
    problem: "the database cannot be used",
    received: error instanceof Error ? (error.message === "" ? error.name : error.message) : show(error),
    fix: "See that the server runs, and that the user may make a schema.",
  });
  failure.cause = error;
  return failure;
}
