import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Dataset, dense, input, sequential, sgd, tensor } from "torte";
import { readJournal, Search, space, tune, type TuneOptions } from "@torte/tune";
import { earlierOf, median, regrets, RELATED } from "../src/testing/functions.js";

const root = mkdtempSync(join(tmpdir(), "torte-warm-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("a study that starts from a related one", () => {
  it("reaches what a cold one has found with at most half of its trials (median of 11)", () => {
    const [pair] = RELATED;
    if (pair === undefined) throw new Error("there is no related function");
    const { target, earlier } = pair;
    const trials = 30;
    const needed = Array.from({ length: 11 }, (_, seed) => {
      const cold = regrets(target, "auto", trials, seed).at(-1) ?? NaN;
      const warm = regrets(target, "auto", trials / 2, seed, [earlierOf(earlier, trials, seed + 100)]);
      const at = warm.findIndex((regret) => regret <= cold);
      return at < 0 ? Infinity : at + 1;
    });
    expect(median(needed)).toBeLessThanOrEqual(trials / 2);
  });

  it("is not led astray by one that has nothing to do with it", () => {
    const [x, y] = [0.2, 0.7];
    const target = (one: { x: number; y: number }): number => (one.x - x) ** 2 + (one.y - y) ** 2;
    const all = space((h) => ({ x: h.float("x", 0, 1), y: h.float("y", 0, 1) }));
    const misleading = {
      name: "the opposite",
      trials: Array.from({ length: 25 }, (_, i) => {
        const values = { x: (i % 5) / 4, y: Math.floor(i / 5) / 4 };
        return { values, loss: -target(values) };
      }),
    };
    const search = new Search(all, { earlier: [misleading] });
    for (let i = 0; i < 25; i++) {
      const trial = search.ask();
      if (trial !== undefined) search.tell(trial.number, target(trial.build()));
    }
    expect(search.best?.results?.[0]).toBeLessThan(1e-3);
  });

  it("refuses one of other hyperparameters, and one out of range", () => {
    const all = space((h) => h.float("x", 0, 1));
    const from = (values: Record<string, number>) => () =>
      new Search(all, { earlier: [{ name: "before", trials: [{ values, loss: 1 }] }] });
    expect(from({ y: 1 })).toThrow(
      "before: no trial of the earlier study fits into this space: expected values of x within their ranges, received y. Start from a study of the same hyperparameters.",
    );
    expect(from({ x: 2 })).toThrow("no trial of the earlier study fits");
    expect(from({ x: 0.5, z: 3 })).not.toThrow();
  });

  const data = Dataset.fromTensors({
    x: tensor(Array.from({ length: 40 }, (_, i) => [Math.sin(i), Math.cos(3 * i)])),
    y: tensor(Array.from({ length: 40 }, (_, i) => [Math.sin(i) * Math.cos(3 * i)])),
  });
  const options: TuneOptions = {
    model: (h) =>
      sequential(
        input({ shape: [2] }),
        dense({ units: h.int("units", 2, 16), activation: "tanh" }),
        dense({ units: 1 }),
        {
          threads: 1,
        },
      ),
    compile: (h) => ({
      optimizer: sgd({ learningRate: h.float("rate", 1e-3, 1, { log: true }) }),
      loss: "meanSquaredError",
    }),
    data: { train: data.take(24), validation: data.skip(24) },
    epochs: 2,
    confirm: false,
    budget: { trials: 5 },
  };

  it("reads its folder, keeps what it has read, and goes on without it", async () => {
    const [before, after] = [join(root, "before"), join(root, "after")];
    const first = await tune({ ...options, folder: before, seed: 3 });
    const best = first.best?.values;
    const warm = await tune({ ...options, folder: after, from: [before] });
    expect(warm.trials[0]?.values).toEqual(best);
    const [header] = readJournal(after);
    expect(header?.event === "study" ? header.earlier?.[0]?.trials.length : 0).toBe(5);
    rmSync(before, { recursive: true });
    const more = await tune({ ...options, folder: after, budget: { trials: 7 } });
    expect(more.trials).toHaveLength(7);
    const undisturbed = join(root, "undisturbed");
    await tune({ ...options, folder: before, seed: 3 });
    const whole = await tune({ ...options, folder: undisturbed, from: [before], budget: { trials: 7 } });
    expect(more.trials.map(({ values }) => values)).toEqual(whole.trials.map(({ values }) => values));
    await tune({ ...options, folder: before, seed: 3, budget: { trials: 6 } });
    await expect(tune({ ...options, folder: after, from: [before], budget: { trials: 8 } })).rejects.toThrow(
      `${after}: what earlier studies have found was changed: expected before, received before.`,
    );
    await expect(tune({ ...options, from: [join(root, "nowhere")] })).rejects.toThrow("this is no study's folder");
  });
});
