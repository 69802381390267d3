/** Learning rates over a run: schedules, and what a callback sets. */
import { describe, expect, it } from "vitest";
import {
  type Callback,
  cosineDecay,
  cosineDecayRestarts,
  exponentialDecay,
  type Model,
  type ModelOptions,
  oneCycle,
  OptionError,
  type RateOption,
  sgd,
  Tensor,
  tensor,
  warmup,
} from "torte";
import { trainee } from "./given-gradients.js";

const each = ([{ threads: 2 }, { backend: "reference" }] as const).map((options: ModelOptions) => ({
  name: options.backend ?? "wasm",
  options,
}));

/** Of a model with gradient 1 in every row. */
const training = (learningRate: RateOption, options: ModelOptions): Model =>
  trainee([[1]], sgd({ learningRate }), options);

const rows = (count: number) => ({
  x: new Tensor(new Float64Array(count).fill(1), [count, 1], "float64"),
  y: tensor(new Float32Array(count), { shape: [count, 1] }),
});

const weight = async (model: Model): Promise<number> => (await model.getWeights())["w0.weight"]?.data[0] ?? NaN;

describe.each(each)("a schedule, $name", ({ options }) => {
  it.each([
    ["of the library", exponentialDecay({ initialLearningRate: 0.5, decaySteps: 3, decayRate: 0.5 })],
    ["of one's own", (step: number) => 0.5 / (1 + step)],
    ["that composes", warmup(4, cosineDecay({ initialLearningRate: 0.1, decaySteps: 9 }))],
  ])("%s gives its rate at t to update t + 1, over epochs and fits", async (_, learningRate) => {
    const at = typeof learningRate === "function" ? learningRate : learningRate.at;
    const model = training(learningRate, options);
    await model.fit(rows(1), { batchSize: 1 });
    expect(await weight(model)).toBeCloseTo(-at(0), 6);
    await model.fit(rows(6), { batchSize: 1, epochs: 2 });
    const sum = Array.from({ length: 13 }, (_, t) => at(t)).reduce((a, b) => a + b);
    expect(await weight(model)).toBeCloseTo(-sum, 5);
  });

  it("longer than what is sent at a time", async () => {
    const model = training((step) => (step === 5000 ? 1 : 0), options);
    await model.fit(rows(5001), { batchSize: 1 });
    expect(await weight(model)).toBe(-1);
  });

  it.each([NaN, Infinity, -1])("that gives %s ends the run", async (value) => {
    const model = training((step) => (step === 2 ? value : 0.1), options);
    await expect(model.fit(rows(4), { batchSize: 1 })).rejects.toThrow("custom: the rate of step 2 is out of range");
  });
});

describe.each(each)("a rate that is set, $name", ({ options }) => {
  const setting = (set: (epoch: number, control: { learningRate: number }) => void): Callback => ({
    onEpochEnd: (epoch, _, control) => {
      set(epoch, control);
    },
  });

  it("takes effect from the next update on", async () => {
    const model = training(1, options);
    const seen: number[] = [];
    const callback = setting((epoch, control) => {
      seen.push(control.learningRate);
      control.learningRate = [0.5, 0.25][epoch] ?? 0;
      seen.push(control.learningRate);
    });
    await model.fit(rows(2), { batchSize: 1, epochs: 2, callbacks: [callback] });
    expect(await weight(model)).toBe(-3);
    await model.fit(rows(2), { batchSize: 1, epochs: 1 });
    expect(await weight(model)).toBe(-3.5);
    expect(seen).toEqual([1, 0.5, 0.5, 0.25]);
  });

  it("multiplies all that a schedule has to come, in later fits, too", async () => {
    const model = training((step) => 1 / 2 ** step, options);
    const halve = setting((_, control) => {
      control.learningRate *= 0.5;
    });
    await model.fit(rows(2), { batchSize: 1, callbacks: [halve] });
    await model.fit(rows(1), { batchSize: 1 });
    expect(await weight(model)).toBe(-(1 + 0.5 + 0.25 / 2));
  });

  it.each([NaN, "x", -1, undefined])("is refused where it is %s", async (value) => {
    const callback = setting((_, control) => {
      control.learningRate = value as number;
    });
    const fit = training(1, options).fit(rows(1), { callbacks: [callback] });
    await expect(fit).rejects.toThrow(OptionError);
  });

  it("is refused where the schedule is at 0", async () => {
    const callback = setting((_, control) => {
      control.learningRate = 1;
    });
    const fit = training(() => 0, options).fit(rows(1), { callbacks: [callback] });
    await expect(fit).rejects.toThrow("control: learningRate cannot be set where the schedule is at 0");
  });
});

describe("schedules", () => {
  it("restart exactly", () => {
    const { at } = cosineDecayRestarts({ initialLearningRate: 1, firstDecaySteps: 10 });
    const restarts = Array.from({ length: 200 }, (_, step) => step).filter((step) => at(step) === 1);
    expect(restarts).toEqual([0, 10, 30, 70, 150]);
  });

  it("reach the cosine's end at decaySteps", () => {
    const { at } = cosineDecay({ initialLearningRate: 1, decaySteps: 10 });
    expect([at(0), at(10), at(11)]).toEqual([1, 0, 0]);
    expect(at(9)).toBeGreaterThan(0);
  });

  it("of one cycle: first, peak and last rate", () => {
    const { at } = oneCycle({ maxLearningRate: 1, totalSteps: 100 });
    const rates = Array.from({ length: 100 }, (_, step) => at(step));
    expect(rates[0]).toBeCloseTo(1 / 25, 12);
    expect(rates.indexOf(Math.max(...rates))).toBe(29);
    expect(rates[29]).toBeCloseTo(1, 12);
    expect(rates[99]).toBeCloseTo(1 / 25e4, 12);
    expect(at(500)).toBe(rates[99]);
  });

  it.each([
    () => cosineDecay({ initialLearningRate: -1, decaySteps: 10 }),
    () => cosineDecay({ initialLearningRate: 1, decaySteps: 0 }),
    () => oneCycle({ maxLearningRate: 1, totalSteps: 1 }),
    () => warmup(0, 0.1),
    () => warmup(3, "x" as never),
    () => cosineDecayRestarts({ initialLearningRate: 1, firstDecaySteps: 10, tMul: 0.5 }),
  ])("refuse options out of range: %s", (make) => {
    expect(make).toThrow(OptionError);
  });
});
