/**
 * The engine: one worker for all models, started with its first use. It holds the process open only while it owes an
 * answer.
 */
import { TrainingError } from "../../errors.js";
import { type Port, startWorker } from "./start.js";

interface Reply {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: string;
}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class Engine {
  readonly #waiting = new Map<number, Waiting>();
  #port: Promise<Port> | undefined;
  #next = 0;

  /** Sends one request, at once; requests are carried out in the order in which they are made. */
  async request(action: string, message: object, transfer: ArrayBuffer[] = []): Promise<unknown> {
    this.#port ??= startWorker({ receive: this.#receive, fail: this.#fail });
    const port = await this.#port.catch(this.#unstarted);
    const id = this.#next++;
    const answer = new Promise<unknown>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    port.hold();
    port.post({ ...message, action, id }, transfer);
    try {
      return await answer;
    } finally {
      if (this.#waiting.size === 0) port.release();
    }
  }

  readonly #receive = ({ id, result, error }: Reply): void => {
    const waiting = id === undefined ? undefined : this.#waiting.get(id);
    if (id === undefined || waiting === undefined) return;
    this.#waiting.delete(id);
    if (error === undefined) waiting.resolve(result);
    else waiting.reject(new TrainingError({ where: "engine", problem: error }));
  };

  readonly #fail = ({ message }: Error): void => {
    const error = new TrainingError({ where: "engine", problem: `the worker failed: ${message}` });
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    this.#port = undefined;
  };

  /** The next request tries again. */
  readonly #unstarted = (error: unknown): never => {
    this.#port = undefined;
    throw error;
  };
}

/** Shared by all models of the process or page. */
export const engine = new Engine();
