import { readFileSync } from "node:fs";
import type * as Start from "./start.js";
import { afterEach, describe, expect, it, vi } from "vitest";

const reading = { receive: () => undefined, fail: () => undefined };
const script = (code: string): URL => new URL(`data:text/javascript,${encodeURIComponent(code)}`);
const worker = new URL("./worker.mjs", import.meta.url);

/** The module as a process has it that has started nothing yet. */
async function fresh(): Promise<typeof Start> {
  vi.resetModules();
  return import("./start.js");
}

/** The globals of a page while `body` runs; its workers are made by `make`. */
async function inPage<T>(make: ((url: string) => object) | undefined, body: () => Promise<T>): Promise<T> {
  const { process } = globalThis;
  vi.stubGlobal("process", { env: {} });
  vi.stubGlobal("Worker", make === undefined ? undefined : function (url: string) { return make(url); }); // prettier-ignore
  try {
    return await body();
  } finally {
    globalThis.process = process;
    vi.unstubAllGlobals();
  }
}

const message = (started: Promise<unknown>): Promise<string> =>
  started.then(
    () => "started",
    (error: unknown) => String(error),
  );

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("the start of the engine", () => {
  it("takes the worker from its code, or from an address", async () => {
    for (const options of [{}, { workerUrl: worker }, { workerUrl: worker.href }]) {
      const { configureEngine, startWorker } = await fresh();
      configureEngine(options);
      const port = await startWorker(reading);
      await port.stop();
    }
  });

  it("has code that is a script, without anything to be found at run time", () => {
    const code = readFileSync(worker, "utf8");
    expect(code).not.toMatch(/^\s*(import|export)\b|import\.meta|\bimport\(/m);
  });

  it.each([
    [
      "a file that is not there",
      new URL("file:///nowhere/worker.js"),
      /cannot start, Cannot find module .* Let file:\/\/\/nowhere\/worker.js be the file torte\/worker.js of this version\.$/,
    ],
    ["a script that fails", script("throw new Error('no luck')"), /the worker cannot start, no luck\. Let data:/],
    ["a script that is over at once", script("1"), /the worker cannot start, it ended with exit code 0\. Let data:/],
    [
      "another version",
      script("import { parentPort } from 'node:worker_threads'; parentPort.postMessage({ ready: true, stamp: 'old' })"),
      /the worker cannot start, it is that of another version of torte\. Let data:/,
    ],
  ])("says why where the address names %s", async (_, workerUrl, expected) => {
    // prettier-ignore
    const { configureEngine, startWorker } = await fresh();
    configureEngine({ workerUrl });
    expect(await message(startWorker(reading))).toMatch(expected);
    configureEngine({ workerUrl: worker });
    await (await startWorker(reading)).stop();
  });

  it("does not wait for ever for a script that says nothing", async () => {
    const { configureEngine, startWorker } = await fresh();
    configureEngine({ workerUrl: script("setInterval(() => 0, 1000)") });
    vi.useFakeTimers({ toFake: ["setTimeout"] });
    const said = message(startWorker(reading));
    vi.advanceTimersByTime(30_000);
    expect(await said).toMatch(/the worker cannot start, it does not answer\./);
  });

  it("says in a page what its policy may forbid", async () => {
    const { startWorker } = await fresh();
    const refusing: { onerror?: (event: object) => void; terminate: () => void } = { terminate: () => undefined };
    const said = inPage(
      () => {
        setTimeout(() => refusing.onerror?.({ type: "error" }), 1);
        return refusing;
      },
      () => message(startWorker(reading)),
    );
    expect(await said).toMatch(
      /^TrainingError: engine: the worker cannot start, nothing was loaded from blob:\S+\. Where the page's Content-Security-Policy forbids workers from blob: addresses, add worker-src blob: to it, or serve the file torte\/worker\.js and name its address: configureEngine\(\{ workerUrl \}\)\.$/,
    );
  });

  it("says that a host has no workers", async () => {
    const { startWorker } = await fresh();
    expect(await inPage(undefined, () => message(startWorker(reading)))).toBe(
      'TrainingError: engine: the worker cannot start, this host has none. Without workers there is backend: "reference" only.',
    );
  });

  it("is settled once", async () => {
    const { configureEngine, startWorker } = await fresh();
    expect(() => configureEngine({ workerUrl: 3 as never })).toThrow(
      "configureEngine: workerUrl has the wrong type: expected an address, as a string or URL, received 3.",
    );
    expect(() => configureEngine({ workerURL: "x" } as never)).toThrow('Did you mean "workerUrl"?');
    const port = await startWorker(reading);
    configureEngine({});
    expect(() => configureEngine({ workerUrl: worker })).toThrow(
      "configureEngine: the engine has started already. Call configureEngine before the first model is used.",
    );
    await port.stop();
  });
});
