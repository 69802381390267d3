/** The thread in which Parquet is decoded: it is ended where a file keeps it busy for too long, or takes too much memory. */
import type { Worker as NodeWorker } from "node:worker_threads";
import type { AsyncBuffer } from "hyparquet";
import { DataError, isNode } from "torte";

/** What the end of the file says. */
export interface ParquetOverview {
  readonly columns: readonly string[];
  readonly rows: number;
  /** Of each group: rows, and of each column the bytes and values that it unpacks to. */
  readonly groups: readonly {
    readonly rows: number;
    readonly sizes: readonly number[];
    readonly values: readonly number[];
  }[];
}

type CellOfFile = string | number | null;

interface Tasks {
  readonly open: { readonly given: { readonly byteLength: number }; readonly result: ParquetOverview };
  readonly read: {
    readonly given: { readonly from: number; readonly to: number };
    readonly result: { readonly cells: readonly (readonly CellOfFile[])[] };
  };
}

/** What the worker says: it wants a part of the file, or has done its task. */
interface Said {
  readonly slice?: number;
  readonly start?: number;
  readonly end?: number;
  readonly result?: unknown;
  readonly error?: string;
  /** Of a value that is no cell. */
  readonly place?: string;
  readonly shown?: string;
}

/** The same of Node's threads and of a page's. */
interface Port {
  readonly post: (message: object, transfer: ArrayBuffer[]) => void;
  readonly stop: () => void;
  /** Keeps the process open, or does not. */
  readonly hold: (busy: boolean) => void;
  receive: (said: Said) => void;
  fail: (problem: string) => void;
}

/** What decoding may take in memory, in MiB; Node only. */
const MOST_MEMORY = 2048;

function inNode(): Port {
  const { Worker } = process.getBuiltinModule("node:worker_threads");
  const worker: NodeWorker = new Worker(new URL("./parquet-worker.mjs", import.meta.url), {
    name: "parquet",
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: MOST_MEMORY },
  });
  const port: Port = {
    post: (message, transfer) => {
      worker.postMessage(message, transfer);
    },
    stop: () => void worker.terminate(),
    hold: (busy) => {
      if (busy) worker.ref();
      else worker.unref();
    },
    receive: () => undefined,
    fail: () => undefined,
  };
  worker.on("message", (said: Said) => {
    port.receive(said);
  });
  worker.on("error", (error) => {
    const isMemory = "code" in error && error.code === "ERR_WORKER_OUT_OF_MEMORY";
    port.fail(isMemory ? `it takes more than ${MOST_MEMORY} MiB of memory` : error.message);
  });
  return port;
}

function inPage(): Port {
  const worker = new Worker(new URL("./parquet-worker.mjs", import.meta.url), { type: "module" });
  const port: Port = {
    post: (message, transfer) => {
      worker.postMessage(message, transfer);
    },
    stop: () => {
      worker.terminate();
    },
    hold: () => undefined,
    receive: () => undefined,
    fail: () => undefined,
  };
  worker.onmessage = ({ data }: MessageEvent<Said>) => {
    port.receive(data);
  };
  worker.onerror = (event) => {
    port.fail(event.message);
  };
  return port;
}

/** One that has nothing to do: the next file spares its start. */
let idle: Port | undefined;

/** A file in a thread of its own, which `close` lets go. */
export class ParquetThread {
  readonly #file: AsyncBuffer;
  readonly #where: string;
  #port: Port | undefined;

  constructor(file: AsyncBuffer, where: string) {
    this.#file = file;
    this.#where = where;
    this.#port = idle ?? (isNode() ? inNode() : inPage());
    idle = undefined;
  }

  /**
   * Has a task done; while the file's parts are read, no time counts.
   *
   * @throws DataError for what cannot be decoded, or not within `patience` milliseconds.
   */
  ask<Task extends keyof Tasks>(
    task: Task,
    given: Tasks[Task]["given"],
    patience: number,
  ): Promise<Tasks[Task]["result"]> {
    const port = this.#port;
    if (port === undefined) return Promise.reject(this.#unreadable("the file has been closed"));
    return new Promise((resolve, reject) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const wait = (): void => {
        timer = setTimeout(() => {
          fail(`it takes longer than ${Number((patience / 1000).toPrecision(2))} s`);
        }, patience);
      };
      const ended = (): void => {
        clearTimeout(timer);
        port.hold(false);
      };
      const fail = (problem: string): void => {
        ended();
        port.stop();
        this.#port = undefined;
        reject(this.#unreadable(problem));
      };
      port.fail = fail;
      port.receive = (said) => {
        clearTimeout(timer);
        if (said.slice !== undefined) {
          void this.#give(port, said).then(wait);
          return;
        }
        ended();
        if (said.error === undefined) resolve(said.result as Tasks[Task]["result"]);
        else if (said.place === undefined) reject(this.#unreadable(said.error));
        else reject(this.#noCell(said.place, said.shown ?? ""));
      };
      port.hold(true);
      wait();
      port.post({ task, ...given }, []);
    });
  }

  async #give(port: Port, { slice, start = 0, end }: Said): Promise<void> {
    try {
      const bytes = await this.#file.slice(start, end);
      port.post({ slice, bytes }, [bytes]);
    } catch (error) {
      port.post({ slice, error: error instanceof Error ? error.message : String(error) }, []);
    }
  }

  #unreadable(received: string): DataError {
    return new DataError({ where: this.#where, problem: "this Parquet file cannot be read", received });
  }

  #noCell(place: string, received: string): DataError {
    return new DataError({
      where: `${this.#where}: ${place}`,
      problem: "the value is no cell",
      expected: "text, a number, a date, true or false",
      received,
    });
  }

  /** To be called when nothing is under way. */
  close(): void {
    const port = this.#port;
    this.#port = undefined;
    if (port === undefined) return;
    if (idle === undefined) idle = port;
    else port.stop();
  }
}
