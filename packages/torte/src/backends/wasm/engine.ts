/**
 * The engine: one worker for all models, started with its first use. It holds the process open only while it owes an
 * answer.
 */
import { TrainingError } from "../../errors.js";

interface Reply {
  readonly id?: number;
  readonly ready?: boolean;
  readonly result?: unknown;
  readonly error?: string;
}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

interface Port {
  readonly post: (message: object, transfer: ArrayBuffer[]) => void;
  readonly hold: () => void;
  readonly release: () => void;
}

export class Engine {
  readonly #waiting = new Map<number, Waiting>();
  #port: Promise<Port> | undefined;
  #next = 0;

  /** Sends one request, at once; requests are carried out in the order in which they are made. */
  async request(action: string, message: object, transfer: ArrayBuffer[] = []): Promise<unknown> {
    this.#port ??= this.#start();
    const port = await this.#port;
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

  readonly #fail = (error: Error): void => {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    this.#port = undefined;
  };

  #start(): Promise<Port> {
    return isNode() ? Promise.resolve(this.#startInNode()) : this.#startInBrowser();
  }

  #startInNode(): Port {
    // Not an import, which bundlers for browsers would follow.
    const { Worker } = process.getBuiltinModule("node:worker_threads");
    // Without the options of node's command line, some of which (--input-type) no worker takes.
    const worker = new Worker(new URL("./worker.mjs", import.meta.url), { name: "torte", execArgv: [] });
    worker.on("message", this.#receive);
    worker.on("error", this.#fail);
    worker.unref();
    return {
      post: (message, transfer) => {
        worker.postMessage(message, transfer);
      },
      hold: () => {
        worker.ref();
      },
      release: () => {
        worker.unref();
      },
    };
  }

  #startInBrowser(): Promise<Port> {
    const worker = new Worker(new URL("./worker.mjs", import.meta.url), { type: "module" });
    const nothing = (): void => undefined;
    const port: Port = {
      post: (message, transfer) => {
        worker.postMessage(message, transfer);
      },
      hold: nothing,
      release: nothing,
    };
    return new Promise((resolve, reject) => {
      worker.onerror = (event) => {
        const error = new TrainingError({ where: "engine", problem: `the worker failed: ${event.message}` });
        reject(error);
        this.#fail(error);
      };
      worker.onmessage = (event: MessageEvent<Reply>) => {
        if (event.data.ready === true) resolve(port);
        else this.#receive(event.data);
      };
    });
  }
}

export const isNode = (): boolean => typeof process === "object" && typeof process.versions.node === "string";

/** Shared by all models of the process or page. */
export const engine = new Engine();
