/**
 * The engine: the threads that all models share, started with their first use. One carries out requests, in the order in which
 * they are made; helpers take part in its runs. They hold the process open only while they owe an answer. If one of them ends,
 * all do: whoever waits is told, and the next request starts new ones.
 */
import { builtin } from "../../builtin.js";
import { TrainingError } from "../../errors.js";
import { isNode } from "../../host.js";
import { abortBarrier } from "../coordination.js";
import { type Port, startWorker } from "./start.js";

interface Reply {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: string;
}

interface Waiting {
  readonly where: string;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

export interface Request {
  readonly message?: object;
  readonly transfer?: ArrayBuffer[];
  /** For errors. Default "engine". */
  readonly where?: string;
}

export class Engine {
  readonly #waiting = new Map<number, Waiting>();
  readonly #main: Promise<Port>;
  readonly #helpers: Promise<Port>[] = [];
  /** Of sessions, in which its threads wait for each other. */
  readonly #memories = new Set<WeakRef<WebAssembly.Memory>>();
  #next = 0;
  #lost: Error | undefined;
  #ended: Promise<unknown> = Promise.resolve();

  /** `after`: what has to end before. */
  constructor(after: Promise<unknown> = Promise.resolve()) {
    this.#main = after.then(() => startWorker({ receive: this.#receive, fail: this.#fail }));
    this.#main.catch((error: unknown) => this.#lose(error as Error));
  }

  /** Whether its threads have ended, or never began. */
  get lost(): boolean {
    return this.#lost !== undefined;
  }

  /** Settles when none of its threads touches any memory any more, once it is lost. */
  get ended(): Promise<unknown> {
    return this.#ended;
  }

  async request(action: string, { message = {}, transfer = [], where = "engine" }: Request = {}): Promise<unknown> {
    const port = await this.#main;
    if (this.#lost !== undefined) throw this.#lost;
    const id = this.#next++;
    const answer = new Promise<unknown>((resolve, reject) => this.#waiting.set(id, { where, resolve, reject }));
    port.hold();
    try {
      port.post({ ...message, action, id }, transfer);
      return await answer;
    } finally {
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) port.release();
    }
  }

  /** Sees to it that there are so many helpers. */
  async help(count: number): Promise<void> {
    await this.#main;
    if (this.#lost !== undefined) throw this.#lost;
    while (this.#helpers.length < count) {
      const helper = this.#startHelper(this.#helpers.length);
      helper.catch((error: unknown) => this.#lose(error as Error));
      this.#helpers.push(helper);
    }
    await Promise.all(this.#helpers.slice(0, count));
  }

  /** A memory that its threads share. */
  watch(memory: WebAssembly.Memory): void {
    for (const known of this.#memories) if (known.deref() === undefined) this.#memories.delete(known);
    this.#memories.add(new WeakRef(memory));
  }

  /** Nobody waits for another thread any more: one that waits in native code cannot be ended. */
  release(): void {
    for (const known of this.#memories) {
      const memory = known.deref();
      if (memory !== undefined) abortBarrier(memory);
    }
  }

  /** A thread that hears from the main one only. */
  async #startHelper(index: number): Promise<Port> {
    const helper = await startWorker({ receive: () => undefined, fail: this.#fail });
    // Nobody stops it later.
    if (this.#lost !== undefined) await helper.stop();
    const { port1, port2 } = new MessageChannel();
    helper.post({ action: "serve", port: port1 }, [port1]);
    (await this.#main).post({ action: "employ", index, port: port2 }, [port2]);
    return helper;
  }

  readonly #receive = ({ id, result, error }: Reply): void => {
    const waiting = id === undefined ? undefined : this.#waiting.get(id);
    if (waiting === undefined) return;
    if (error === undefined) waiting.resolve(result);
    else waiting.reject(new TrainingError({ where: waiting.where, problem: error }));
  };

  readonly #fail = ({ message }: Error): void => {
    const fix = "What was asked of it last has not been done; the next request starts a new one.";
    this.#lose(
      new TrainingError({ where: "engine", problem: `the engine was lost, a thread failed: ${message}`, fix }),
    );
  };

  #lose(error: Error): void {
    if (this.#lost !== undefined) return;
    this.#lost = error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.release();
    const threads = [this.#main, ...this.#helpers];
    this.#ended = Promise.allSettled(threads.map(async (thread) => (await thread).stop()));
  }
}

let current: Engine | undefined;

/** The engine of the process or page; a new one where it has been lost. */
export function engine(): Engine {
  if (current === undefined && isNode()) builtin("node:process").once("exit", () => current?.release());
  if (current?.lost !== false) current = new Engine(current?.ended);
  return current;
}
