/** Faults in every thread and at every stage of a request: all who wait are answered, and what comes next is right. */
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { dense, input, type Model, sequential, sgd, Tensor } from "../../index.js";
import { engine } from "./engine.js";
import { configureEngine } from "./start.js";

beforeAll(() => {
  vi.stubGlobal("navigator", { hardwareConcurrency: 2 });
  configureEngine({ workerUrl: new URL("../../testing/faulty-worker.mjs", import.meta.url) });
});
afterAll(() => {
  vi.unstubAllGlobals();
});

const [ROWS, WIDTH] = [192, 256];
const wave = (shape: readonly number[], scale: number): Tensor =>
  new Tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i * scale)),
    shape,
    "float32",
  );
const [x, y] = [wave([ROWS, WIDTH], 0.37), wave([ROWS, 1], 1.7)];

/** Large enough that two threads take part in a step. */
function make(threads: number, backend: "wasm" | "native"): Model {
  const made = sequential(input({ shape: [WIDTH] }), dense({ units: WIDTH, activation: "tanh" }), dense({ units: 1 }), {
    threads,
    backend,
  });
  made.compile({ optimizer: sgd({ learningRate: 0.01 }), loss: "meanSquaredError" });
  return made;
}

const train = (model: Model) => model.fit({ x, y }, { batchSize: ROWS, shuffle: false });

const outputs = async (model: Model): Promise<number[]> => [...(await model.predict(x)).data];

/** What a model should give: training begins where the one before has ended. */
async function expected(threads: number, backend: "wasm" | "native"): Promise<readonly number[][]> {
  const model = make(threads, backend);
  const all = [await outputs(model)];
  for (let i = 0; i < 3; i++) {
    await train(model);
    all.push(await outputs(model));
  }
  await model.close();
  return all;
}

const answers = (promises: readonly Promise<unknown>[]): Promise<string[]> =>
  Promise.all(
    promises.map((promise) =>
      promise.then(
        () => "answered",
        (error: unknown) => String(error),
      ),
    ),
  );

/** Requests of the main thread, and what helpers do; "step" is the program itself, after the helpers have been called. */
const ACTIONS = ["open", "reserve", "clear", "write", "read", "findNotFinite", "snapshot", "load", "run", "step"];
const OF_HELPERS = ["adopt", "load", "step"];

const faults = [
  { threads: 1, thread: 0 },
  { threads: 2, thread: 0 },
  { threads: 2, thread: 1 },
].flatMap(({ threads, thread }) =>
  (thread === 0 ? ACTIONS : OF_HELPERS).flatMap((at) => [
    { threads, thread, at, kind: "throw", when: "before" },
    { threads, thread, at, kind: "memory", when: "after" },
    { threads, thread, at, kind: "exit", when: "before" },
    ...(at === "step" ? ["before", "after"].map((when) => ({ threads, thread, at, kind: "trap", when })) : []),
    ...(at === "reserve" ? [{ threads, thread, at, kind: "full", when: "before" }] : []),
    // Kernels by themselves, between two places where threads meet.
    ...(at === "step"
      ? [0, 3, 6].map((kernel) => ({ threads, thread, at: `kernel ${kernel}`, kind: "trap", when: "before" }))
      : []),
  ]),
);

/** Natively what concerns the program itself; no thread can be ended from outside while it waits for another. */
const natively = faults.filter(({ at, kind }) => kind !== "memory" && ["load", "step", "kernel 3"].includes(at));
const cases = [
  ...faults.map((fault) => ({ backend: "wasm" as const, ...fault })),
  ...natively.map((fault) => ({ backend: "native" as const, ...fault })),
];

describe("a fault", () => {
  const wanted = new Map<string, Promise<readonly number[][]>>();
  const known = (threads: number, backend: "wasm" | "native"): Promise<readonly number[][]> => {
    const name = `${backend} ${threads}`;
    const there = wanted.get(name) ?? expected(threads, backend);
    wanted.set(name, there);
    return there;
  };

  it.each(cases)("$kind $when $at, thread $thread of $threads, $backend", async ({ threads, backend, ...fault }) => {
    const right = await known(threads, backend);
    if (fault.at.startsWith("kernel")) vi.stubEnv("TORTE_DEBUG", "profile");
    const [model, other] = [make(threads, backend), make(threads, backend)];
    await train(model);
    await other.predict(x);
    const faulty = engine();
    await faulty.request("inject", { message: fault });
    const all = await answers([train(model), other.predict(x), model.predict(x.rows(0, 3)), other.evaluate({ x, y })]);
    // A new model opens a session, which helpers adopt.
    all.push(...(await answers([make(threads, backend).predict(x)])));
    // What befalls a helper may be known only when nobody waits: then nobody is told, and the next request has a new engine.
    const isKnown = (): boolean => all.some((answer) => answer !== "answered") || (fault.thread > 0 && faulty.lost);
    for (let i = 0; fault.thread > 0 && i < 100 && !isKnown(); i++) {
      await new Promise((wake) => setTimeout(wake, 10));
      all.push(...(await answers([make(threads, backend).predict(x)])));
    }
    // A program that a helper could not load may be one for one thread.
    const strikes = fault.thread === 0 || fault.at !== "load" || fault.kind === "exit";
    if (strikes) expect(isKnown(), all.join()).toBe(true);
    for (const answer of all)
      expect(answer).toMatch(
        /^answered$|^TrainingError: .*(injected|unreachable|another thread|lost|array buffer length|memory)/,
      );
    if (fault.kind === "exit") expect(faulty.lost).toBe(true);
    if (fault.kind === "exit" && fault.thread === 0) expect(all.join()).toContain("lost");
    // Weights are those of whole fits; all goes on from there.
    const now = await outputs(model);
    const done = [1, 2].find((count) => now.every((value, i) => value === right[count]?.[i]));
    expect(done, "a model after whole fits").toBeDefined();
    expect(await outputs(other)).toEqual(right[0]);
    await train(model);
    expect(await outputs(model)).toEqual(right[(done ?? 0) + 1]);
    expect(await outputs(make(threads, backend))).toEqual(right[0]);
    await engine().request("inject", { message: { thread: 0 } });
    if (threads > 1) await engine().request("inject", { message: { thread: 1 } });
    vi.unstubAllEnvs();
    await Promise.all([model.close(), other.close()]);
  });
});
