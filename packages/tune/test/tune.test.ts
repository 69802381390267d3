import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { adam, Dataset, dense, dropout, input, sealTest, sequential, tensor } from "torte";
import { type Hyper, readJournal, tune, type TuneOptions, type Study } from "@torte/tune";

const root = mkdtempSync(join(tmpdir(), "torte-tune-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;
const newFolder = (): string => join(root, String(folders++));

const rows = 96;
const x = Array.from({ length: rows }, (_, i) => [Math.sin(i), Math.cos(3 * i), Math.sin(7 * i)]);
const y = x.map(([a = 0, b = 0]) => [Number(a * b > 0)]);
const all = Dataset.fromTensors({ x: tensor(x), y: tensor(y) });
const data = { train: all.take(64), validation: all.skip(64) };

const model = (h: Hyper) =>
  sequential(
    input({ shape: [3] }),
    dense({ units: h.int("units", 2, 16, { log: true, default: 4 }), activation: "tanh" }),
    dropout({ rate: h.float("rate", 0.05, 0.35) }),
    dense({ units: 1, activation: "sigmoid" }),
    { threads: 1 },
  );
const compile = (h: Hyper) => ({
  optimizer: adam({ learningRate: h.float("learningRate", 1e-3, 1e-1, { log: true }) }),
  loss: "binaryCrossentropy" as const,
  metrics: ["accuracy" as const],
});
const base: TuneOptions = { model, compile, data, epochs: 9, budget: { trials: 10 }, confirm: false };

/** All of a study but its times. */
const facts = (study: Study) =>
  study.trials.map(({ number, values, state, epochs, results, confirmed }) => ({
    number,
    values,
    state,
    epochs,
    results,
    confirmed,
  }));

describe("tune", () => {
  it("tries settings, gives the good ones more epochs, and confirms the best with fresh seeds", async () => {
    const study = await tune({
      ...base,
      budget: { trials: 12 },
      confirm: { trials: 2, seeds: 3 },
      objective: { metric: "loss" },
    });
    expect(study.trials).toHaveLength(12);
    expect(study.trials[0]?.values["units"]).toBe(4); // the present setting
    const lengths = study.trials.map(({ epochs }) => epochs.length).sort((a, b) => b - a);
    expect(lengths.slice(0, 1)).toEqual([9]);
    expect(lengths.at(-1)).toBe(1);
    expect(study.trials.every(({ state }) => state === "complete" || state === "pruned")).toBe(true);
    const finalists = study.finalists;
    expect(finalists).toHaveLength(2);
    for (const { confirmation, confirmed, seen } of finalists) {
      expect(confirmation?.runs).toBe(3);
      const [a = 0, b = 0, c = 0] = confirmed.map(([first]) => first ?? NaN);
      const mean = (a + b + c) / 3;
      expect(confirmation?.mean).toBeCloseTo(mean, 12);
      const deviation = Math.sqrt(((a - mean) ** 2 + (b - mean) ** 2 + (c - mean) ** 2) / 2);
      expect(confirmation?.standardError).toBeCloseTo(deviation / Math.sqrt(3), 12);
      expect(new Set([a, b, c, seen]).size).toBe(4);
    }
    const report = study.report();
    expect(report).toMatch(/trials {5}12: /);
    expect(report).toMatch(/trial \d+: seen 0\.\d+, again 0\.\d+ ± 0\.\d+ \(3 fresh seeds\)/);
    expect(report).toContain("winner's curse");
    expect(Object.values(study.importance()).reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
  });

  it("takes a model as it stands, and chooses among what its hyperparameters may be", async () => {
    const whole = sequential(
      input({ shape: [3] }),
      dense({ units: 8, activation: "tanh" }),
      dropout({ rate: 0.1 }),
      dense({ units: 1, activation: "sigmoid" }),
      { threads: 1, seed: 5 },
    );
    whole.compile({ optimizer: adam({ learningRate: 0.01 }), loss: "binaryCrossentropy" });
    const space = whole.hyperparameters().space({ only: ["rate", "units", "activation"] });
    const options = {
      ...base,
      model: whole,
      space,
      compile: undefined,
      epochs: 2,
      scheduler: "none",
      budget: { trials: 4 },
    };
    const study = await tune(options as unknown as TuneOptions);
    expect(study.space.parameters.map(({ name }) => name)).toEqual(["dense.units", "dense.activation", "dropout.rate"]);
    const [present, second] = study.trials;
    expect(present?.values).toEqual({ "dense.units": 8, "dense.activation": "tanh", "dropout.rate": 0.1 });
    expect(second?.values).not.toEqual(present?.values);
    const { epochs } = await whole.fit(data.train, { epochs: 2, validationData: data.validation, verbose: 0 });
    expect(present?.epochs.map(([loss]) => loss)).toEqual(epochs.map(({ valLoss }) => valLoss));
    const refused = (change: object) => tune({ ...options, ...change } as unknown as TuneOptions);
    await expect(refused({ space: undefined })).rejects.toThrow("tune: space is missing");
    await expect(refused({ model })).rejects.toThrow("tune: space goes with a model as it stands");
    await expect(refused({ model: sequential(input({ shape: [3] }), dense({ units: 1 })) })).rejects.toThrow(
      "tune: the space is of another model",
    );
  });

  it("is the same study with the same seed, and another one with another seed", async () => {
    const first = await tune(base);
    expect(facts(await tune(base))).toEqual(facts(first));
    expect(facts(await tune({ ...base, seed: 1 }))).not.toEqual(facts(first));
  });

  it("trains a promoted trial exactly as one that was never paused", async () => {
    const study = await tune(base);
    const long = study.trials.find(({ epochs }) => epochs.length === 9);
    const h = {
      int: (name: string) => long?.values[name],
      float: (name: string) => long?.values[name],
    } as unknown as Hyper;
    const alone = model(h);
    alone.compile(compile(h));
    const { epochs } = await alone.fit(data.train, { epochs: 9, validationData: data.validation, verbose: 0 });
    expect(long?.epochs.map(([loss]) => loss)).toEqual(epochs.map(({ valLoss }) => valLoss));
  });

  it.each(["none", "hyperband", "successiveHalving", "medianStopping", "curveFitting"] as const)(
    "follows %s",
    async (scheduler) => {
      const study = await tune({ ...base, scheduler, budget: { trials: 8 } });
      expect(study.trials).toHaveLength(8);
      expect(study.trials.some(({ state }) => state === "complete")).toBe(true);
    },
  );

  it("keeps to a budget of epochs, confirmations included", async () => {
    const study = await tune({ ...base, budget: { epochs: 60 }, confirm: { trials: 1, seeds: 2 } });
    expect(study.cost.epochs).toBeLessThanOrEqual(60 + 9);
    expect(study.best?.confirmation?.runs).toBeGreaterThan(0);
  });

  it("keeps to a budget of seconds", async () => {
    const started = performance.now();
    const study = await tune({ ...base, budget: { seconds: 1.5 } });
    expect(study.trials.length).toBeGreaterThan(0);
    expect((performance.now() - started) / 1000).toBeLessThan(30);
  });

  it("takes the metric's own direction, and refuses a metric that there is not", async () => {
    const study = await tune({ ...base, objective: { metric: "accuracy" }, budget: { trials: 5 } });
    const results = study.trials.map((trial) => trial.results?.[0] ?? 0);
    expect(study.best?.seen).toBe(Math.max(...results));
    await expect(tune({ ...base, objective: { metric: "acuracy" } })).rejects.toThrow(
      'objective: the model has no metric "acuracy": expected loss, accuracy, parameters, millisecondsPerStep. Did you mean "accuracy"?',
    );
  });

  it("weighs two objectives, and keeps constraints without training what breaks them", async () => {
    const study = await tune({
      ...base,
      epochs: 2,
      objective: [{ metric: "loss" }, { metric: "parameters" }],
      constraints: { parameters: 40 },
      budget: { trials: 14 },
    });
    for (const { violations, epochs, values } of study.trials) {
      const parameters = 3 * Number(values["units"]) + Number(values["units"]) * 2 + 1;
      expect(violations).toEqual([parameters / 40 - 1]);
      expect(epochs.length > 0).toBe(parameters <= 40);
    }
    expect(study.front.length).toBeGreaterThan(0);
    expect(study.report()).toContain("on the Pareto front");
  });

  it("averages repeats and folds", async () => {
    const study = await tune({
      ...base,
      data: { train: data.train, folds: 3 },
      repeats: 2,
      epochs: 2,
      scheduler: "none",
      budget: { trials: 2 },
    });
    const [trial] = study.trials;
    expect(trial?.epochs).toHaveLength(2);
    const single = await tune({ ...base, epochs: 2, scheduler: "none", budget: { trials: 2 } });
    expect(single.trials[0]?.values).toEqual(trial?.values);
    expect(single.trials[0]?.epochs).not.toEqual(trial?.epochs);
  });

  it("tells failed settings from others, and goes on", async () => {
    const failing = (h: Hyper) => {
      const made = model(h);
      if (h.boolean("broken")) throw new Error("this setting cannot work");
      return made;
    };
    const study = await tune({ ...base, model: failing, budget: { trials: 8 } });
    for (const { values, state, error } of study.trials) {
      expect(state === "failed").toBe(values["broken"] === true);
      if (state === "failed") expect(error).toBe("this setting cannot work");
    }
    expect(study.report()).toContain("× this setting cannot work");
    expect(study.best?.values["broken"]).toBe(false);
  });

  it("ends where the first trials all fail, with the reason", async () => {
    const optimizer = (h: Hyper) => ({
      optimizer: adam({ learningRate: h.float("r", 1e18, 1e30) }),
      loss: "meanSquaredError" as const,
    });
    await expect(
      tune({
        ...base,
        model: (h) => sequential(input({ shape: [3] }), dense({ units: h.int("u", 1, 3) })),
        compile: optimizer,
      }),
    ).rejects.toThrow(
      /^tune: the first 3 trials have all failed: received .*Train the model alone with the setting of trial 0/,
    );
  });
});

describe("the test part", () => {
  it("cannot be reached from a study, sealed or opened, in whichever place it is given", async () => {
    const refused = async (given: unknown): Promise<string> =>
      tune({ ...base, data: given as TuneOptions["data"] }).then(
        () => "it was taken",
        (error: unknown) => (error as Error).message,
      );
    const sealed = () => sealTest(all.skip(80));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("train", "validation", "test", "holdout"),
        fc.boolean(),
        async (place, opened) => {
          const test = sealed();
          const part = opened ? test.open("a look") : test;
          const openings = test.openings.length;
          expect(await refused({ ...data, [place]: part })).toMatch(
            /^tune: (the test part is sealed|these rows are the opened test part|data has a part that no trial may see)/,
          );
          expect(test.openings.length).toBe(openings);
        },
      ),
      { numRuns: 12 },
    );
    expect(await refused({ train: sealed(), folds: 3 })).toContain("the test part is sealed");
  });
});

describe("a study's folder", () => {
  it("has the study: it goes on where it was ended, as if it had not been", async () => {
    const whole = await tune({ ...base, confirm: { trials: 1, seeds: 2 } });
    const folder = newFolder();
    const controller = new AbortController();
    let events = 0;
    const stopAt = (count: number): TuneOptions => ({
      ...base,
      confirm: { trials: 1, seeds: 2 },
      folder,
      signal: controller.signal,
      onEvent: () => {
        if (++events === count) controller.abort();
      },
    });
    await tune(stopAt(17));
    const half = readJournal(folder).length;
    expect(half).toBeLessThan(25);
    const resumed = await tune({ ...base, confirm: { trials: 1, seeds: 2 }, folder });
    expect(facts(resumed)).toEqual(facts(whole));
    const again = await tune({ ...base, confirm: { trials: 1, seeds: 2 }, folder });
    expect(facts(again)).toEqual(facts(whole));
    expect(again.cost.epochs).toBe(whole.cost.epochs);
  });

  it("is cut where its last line was torn, and refused where another line was changed", async () => {
    const folder = newFolder();
    await tune({ ...base, folder, budget: { trials: 3 } });
    const path = join(folder, "journal.jsonl");
    const bytes = readFileSync(path);
    const lines = readJournal(folder).length;
    for (const cut of [1, 7, 30]) {
      writeFileSync(path, bytes);
      truncateSync(path, bytes.length - cut);
      expect(readJournal(folder)).toHaveLength(lines - 1);
    }
    writeFileSync(path, bytes);
    appendFileSync(path, '12 00000000 {"event"');
    expect(readJournal(folder)).toHaveLength(lines);
    fc.assert(
      fc.property(fc.nat(bytes.length - 2), fc.integer({ min: 1, max: 255 }), (at, by) => {
        const changed = Uint8Array.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ by;
        writeFileSync(path, changed);
        const before = bytes.subarray(0, at).filter((byte) => byte === 10).length + 1;
        expect(() => readJournal(folder)).toThrow(new RegExp(`journal.jsonl:(${before}|${before - 1}): the line`));
      }),
      { numRuns: 60 },
    );
  });

  it("is refused to a second process, to another study, and to another version", async () => {
    const folder = newFolder();
    const options = { ...base, folder, budget: { trials: 3 } };
    const first = tune(options);
    await expect(tune(options)).rejects.toThrow(`another process leads this study: received process ${process.pid} on`);
    await first;
    await expect(tune({ ...options, seed: 5 })).rejects.toThrow("seed was changed: expected 0, received 5");
    await expect(tune({ ...options, epochs: 5 })).rejects.toThrow("epochs was changed: expected 9, received 5");
    await expect(
      tune({
        ...options,
        compile: (h: Hyper) => ({ ...compile(h), optimizer: adam({ learningRate: h.float("rate2", 0.1, 1) }) }),
      }),
    ).rejects.toThrow("the hyperparameter rate2 was changed: expected nothing");
    // A dead leader's lock is taken.
    writeFileSync(
      join(folder, "lock.json"),
      JSON.stringify({ pid: 2 ** 22 + 1, host: (await import("node:os")).hostname() }),
    );
    expect((await tune(options)).trials).toHaveLength(3);
  });

  it("goes on with a larger budget", async () => {
    const folder = newFolder();
    const options = { ...base, folder, budget: { trials: 4 } };
    await tune({ ...options, budget: { trials: 2 } });
    const before = readJournal(folder).length;
    const study = await tune(options);
    expect(study.trials).toHaveLength(4);
    expect(readJournal(folder).length).toBeGreaterThan(before);
  });
});

describe("a reproducible study", () => {
  it("tells results at the end of rounds, so that a crash in one changes nothing", async () => {
    const options: TuneOptions = {
      ...base,
      parallel: { mode: "reproducible", round: 3 },
      searcher: "tpe",
      budget: { trials: 8 },
    };
    const whole = await tune(options);
    for (const count of [5, 19]) {
      const folder = newFolder();
      const controller = new AbortController();
      let events = 0;
      const onEvent = (): void => {
        if (++events === count) controller.abort();
      };
      await tune({ ...options, folder, signal: controller.signal, onEvent });
      expect(facts(await tune({ ...options, folder }))).toEqual(facts(whole));
    }
  });
});

it.each([
  [{ budget: {} }, "budget: it is empty: expected trials, epochs or seconds."],
  [{ budget: { trials: 0 } }, "budget: trials is out of range: expected a whole number of at least 1, received 0."],
  [{ searcher: "bayes" }, "searcher: searcher is unknown"],
  [{ scheduler: "bohb" }, "scheduler: scheduler is unknown"],
  [{ objective: [] }, "objective: there is none"],
  [{ constraints: { parameters: -1 } }, "constraints: parameters is out of range"],
  [{ trials: 3 }, 'tune: unknown option "trials"'],
  [{ data: { train: data.train } }, "tune: data has the wrong form"],
  [{ model: () => 3 }, "tune: model gives no model"],
  [{ compile: undefined }, "the model is not compiled"],
] as const)("refuses %j", async (change, text) => {
  await expect(tune({ ...base, ...change } as unknown as TuneOptions)).rejects.toThrow(text);
});
