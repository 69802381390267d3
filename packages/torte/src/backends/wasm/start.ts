/** Starts the engine's worker: from its code, which is part of this package's modules, or from an address. */
import { isHostObject } from "../../tensor/realm.js";
import { checkOptions, OptionError, show, TrainingError } from "../../errors.js";
import { builtin } from "../../builtin.js";
import { isNode } from "../../host.js";
import { workerCode, workerStamp } from "./worker-code.js";

/** A worker that has started. */
export interface Port {
  readonly post: (message: object, transfer: (ArrayBuffer | MessagePort)[]) => void;
  /** Keeps the process open. */
  readonly hold: () => void;
  /** Lets the process end. */
  readonly release: () => void;
  /** Ends it, whatever it does; settles when it has ended. */
  readonly stop: () => Promise<unknown>;
}

/** Who hears what the worker says once it has started. */
export interface Listener {
  receive: (reply: object) => void;
  fail: (error: Error) => void;
}

/** Options of {@link configureEngine}. */
export interface EngineOptions {
  /**
   * The address of `torte/worker.js`, for pages whose Content-Security-Policy allows no worker from a `blob:` address.
   * Default: none, the worker's code is part of the library.
   */
  readonly workerUrl?: string | URL;
}

let workerUrl: string | undefined;
let started = false;

/**
 * Settles how the engine is started, before the first model is used. Only pages with a strict Content-Security-Policy need it:
 * `configureEngine({ workerUrl: "/worker.js" })`, where that is a copy of the package's `torte/worker.js`.
 *
 * @throws OptionError where the engine has started already.
 */
export function configureEngine(options: EngineOptions): void {
  checkOptions("configureEngine", options, ["workerUrl"]);
  const url: unknown = options.workerUrl;
  if (url !== undefined && typeof url !== "string" && !isHostObject(url, "URL")) {
    throw new OptionError({
      where: "configureEngine",
      problem: "workerUrl has the wrong type",
      expected: "an address, as a string or URL",
      received: show(url),
    });
  }
  const wanted = url === undefined ? undefined : String(url);
  if (started && wanted !== workerUrl) {
    throw new OptionError({
      where: "configureEngine",
      problem: "the engine has started already",
      fix: "Call configureEngine before the first model is used.",
    });
  }
  workerUrl = wanted;
}

/** Long enough for a slow network, short enough to be an answer: a script that is no worker of ours says nothing. */
const PATIENCE = 30_000;

/** @throws TrainingError where no worker can be started, with why and what to do. */
export function startWorker({ receive, fail }: Listener): Promise<Port> {
  return new Promise((resolve, reject) => {
    let worker: Port | undefined;
    const refuse = (problem: string): void => {
      clearTimeout(timer);
      void worker?.stop();
      reject(cannotStart(problem));
    };
    const timer = setTimeout(() => refuse("it does not answer"), PATIENCE);
    const beforeItIsReady = ({ ready, stamp }: { ready?: unknown; stamp?: unknown }): void => {
      if (ready !== true || worker === undefined) return;
      if (stamp !== workerStamp) {
        refuse("it is that of another version of torte");
        return;
      }
      clearTimeout(timer);
      started = true;
      listener.receive = receive;
      listener.fail = fail;
      worker.release();
      resolve(worker);
    };
    const listener: Listener = { receive: beforeItIsReady, fail: (error) => refuse(error.message) };
    try {
      worker = isNode() ? inNode(listener) : inPage(listener);
    } catch (error) {
      refuse(error instanceof Error ? error.message : String(error));
    }
  });
}

function inNode(listener: Listener): Port {
  const { Worker } = builtin("node:worker_threads");
  const worker = new Worker(workerUrl === undefined ? workerCode : new URL(workerUrl), {
    name: "torte",
    eval: workerUrl === undefined,
    execArgv: [], // without the options of node's command line, some of which (--input-type) no worker takes
  });
  worker.on("message", (message: object) => listener.receive(message));
  worker.on("error", (error) => listener.fail(error));
  worker.on("messageerror", (error) => listener.fail(error));
  worker.on("exit", (code) => listener.fail(new Error(`it ended with exit code ${code}`)));
  return {
    post: (message, transfer) => {
      worker.postMessage(message, transfer as Parameters<typeof worker.postMessage>[1]);
    },
    hold: () => {
      worker.ref();
    },
    release: () => {
      worker.unref();
    },
    stop: () => worker.terminate(),
  };
}

let blobUrl: string | undefined;

function inPage(listener: Listener): Port {
  if (typeof Worker !== "function") throw new Error("this host has none");
  // The address stays: every thread is started from it.
  const url = workerUrl ?? (blobUrl ??= URL.createObjectURL(new Blob([workerCode], { type: "text/javascript" })));
  const worker = new Worker(url);
  worker.onmessage = (event: MessageEvent<object>) => listener.receive(event.data);
  worker.onerror = (event) => {
    // What fails within the worker has a message; what kept it from being loaded has none.
    const { message = "" } = event as Partial<ErrorEvent>;
    listener.fail(new Error(message === "" ? `nothing was loaded from ${url}` : message));
  };
  worker.onmessageerror = () => {
    listener.fail(new Error("what it says cannot be read"));
  };
  const nothing = (): void => undefined;
  return {
    post: (message, transfer) => {
      worker.postMessage(message, transfer);
    },
    hold: nothing,
    release: nothing,
    stop: () => {
      worker.terminate();
      return Promise.resolve();
    },
  };
}

function cannotStart(problem: string): TrainingError {
  return new TrainingError({ where: "engine", problem: `the worker cannot start, ${problem}`, fix: remedy() });
}

function remedy(): string {
  if (workerUrl !== undefined) {
    return `Let ${workerUrl} be the file torte/worker.js of this version${isNode() ? "" : ", of the page's own origin, served as JavaScript"}.`;
  }
  if (isNode()) return "Where node runs with --permission, add --allow-worker.";
  return typeof Worker === "function"
    ? "Where the page's Content-Security-Policy forbids workers from blob: addresses, add worker-src blob: to it, or serve " +
        "the file torte/worker.js and name its address: configureEngine({ workerUrl })."
    : 'Without workers there is backend: "reference" only.';
}
