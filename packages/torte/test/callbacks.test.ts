/** Callbacks: what each does at an epoch's end, what it remembers, and when its turn comes. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  type Callback,
  csvLog,
  dense,
  earlyStopping,
  input,
  type Json,
  loadModel,
  type Logs,
  type Model,
  modelCheckpoint,
  type ModelOptions,
  progress,
  reduceLROnPlateau,
  sequential,
  sgd,
  tensor,
  tensorBoard,
  type TrainingControl,
} from "torte";

const newFolder = (): string => mkdtempSync(join(tmpdir(), "torte-test-"));
const column = (values: readonly number[]) => tensor(values.map((value) => [value]));
const data = { x: column([1, 2, 3, 4]), y: column([2, 4, 6, 8]) };

function line(options: ModelOptions = {}, learningRate = 0.01): Model {
  const model = sequential(input({ shape: [1] }), dense({ units: 1, kernelInitializer: "zeros" }), options);
  model.compile({ optimizer: sgd({ learningRate }), loss: "meanSquaredError" });
  return model;
}

interface Seen {
  readonly control: TrainingControl;
  readonly log: string[];
}

/** A run without a model. */
function stage(direction: "min" | "max" | "none" = "min"): Seen {
  const log: string[] = [];
  let rate = 1;
  const control: TrainingControl = {
    model: line(),
    epochs: 9,
    figures: ["loss", "valLoss", "accuracy", "valAccuracy"],
    stop: () => void log.push("stop"),
    keepWeights: () => Promise.resolve(void log.push("keep")),
    restoreWeights: () => Promise.resolve(void log.push("restore")),
    get learningRate() {
      return rate;
    },
    set learningRate(value) {
      rate = value;
      log.push(`rate ${value}`);
    },
    direction: () => direction,
  };
  return { control, log };
}

/** Plays the values of the monitored figure; what happened in each epoch. */
async function play(callback: Callback, values: readonly number[], { control, log }: Seen, from = 0): Promise<string> {
  const story: string[] = [];
  for (const [i, valLoss] of values.entries()) {
    log.length = 0;
    await callback.onEpochEnd?.(from + i, { valLoss }, control);
    story.push(log.join(" ") || "-");
    if (log.includes("stop")) break;
  }
  return story.join(", ");
}

describe("early stopping", () => {
  it.each([
    [{ patience: 2 }, "min", [1, 0.9, 0.95, 0.94, 0.89], "keep, keep, -, stop"],
    [{ patience: 0 }, "min", [1, 0.9, 0.9], "keep, keep, stop"],
    [{ patience: 1 }, "min", [1, 1], "keep, stop"],
    [{ patience: 2 }, "min", [NaN, 3, 4, 2], "-, keep, -, keep"],
    [{ patience: 2 }, "min", [-Infinity, 3, 4, 2], "-, keep, -, keep"],
    [{ patience: 2 }, "max", [Infinity, 3, 4, 2, 4], "-, keep, keep, -, stop"],
    [{ patience: 2, minDelta: 0.1 }, "min", [1, 0.95, 0.92], "keep, -, stop"],
    [{ patience: 2, baseline: 0.5 }, "min", [1, 0.9, 0.4], "keep, keep stop"],
    [{ patience: 1, startFromEpoch: 2 }, "min", [1, 2, 3, 4], "-, -, keep, stop"],
    [{ patience: 1, mode: "max" }, "min", [1, 2, 1], "keep, keep, stop"],
  ] as const)("%j, %s, of %j", async (options, direction, values, story) => {
    const seen = stage(direction);
    expect(await play(earlyStopping(options), values, seen)).toBe(story);
  });

  it("asks for a direction where there is none, and for a figure that is there", async () => {
    const { control } = stage("none");
    await expect(async () => earlyStopping().onEpochEnd?.(0, { valLoss: 1 }, control)).rejects.toThrow(
      'earlyStopping: nothing says whether more or less of valLoss is better: expected mode "min" or "max". Or give the metric a direction.',
    );
    await expect(async () => earlyStopping().onEpochEnd?.(0, { loss: 1 }, control)).rejects.toThrow(
      "earlyStopping: there is no valLoss: expected loss. Give fit validationData.",
    );
  });

  it("tells the best epoch, and which weights the model has", async () => {
    const model = line({}, 0.15); // diverges
    const history = await model.fit(data, {
      epochs: 9,
      batchSize: 4,
      callbacks: [earlyStopping({ monitor: "loss", patience: 2 })],
    });
    const best = history.best();
    expect(best).toEqual({ epoch: 0, figure: "loss", value: history.epochs[0]?.["loss"] });
    expect([history.ended, history.restoredEpoch, history.epochs.length]).toEqual(["stopped", 0, 3]);
    expect(() => history.best("acc")).toThrow('history.best: "acc" is no figure that has a best: expected loss.');
    await model.close();
  });
});

describe("reduceLROnPlateau", () => {
  // As Keras 3.15's ReduceLROnPlateau, run over the same values, but for the last, where NaN is never the best.
  it.each([
    [{ factor: 0.5, patience: 2 }, [1, 1, 1, 1, 1], "-, -, rate 0.5, -, rate 0.25"],
    [{ factor: 0.5, patience: 0 }, [1, 1, 0.5], "-, rate 0.5, -"],
    [{ factor: 0.5, patience: 1, cooldown: 2 }, [1, 1, 1, 1, 1, 1], "-, rate 0.5, -, rate 0.25, -, rate 0.125"],
    [{ factor: 0.1, patience: 1, minLearningRate: 0.05 }, [1, 1, 1, 1], "-, rate 0.1, rate 0.05, -"],
    [{ factor: 0.5, patience: 1, minDelta: 0.2 }, [1, 0.9, 0.7], "-, rate 0.5, -"],
    [{ factor: 0.5, patience: 1 }, [NaN, 1, 1], "rate 0.5, -, rate 0.25"],
  ] as const)("%j of %j", async (options, values, story) => {
    expect(await play(reduceLROnPlateau(options), values, stage())).toBe(story);
  });

  it.each([{}, { backend: "reference" as const }])("changes what the next step does, %j", async (options) => {
    const model = line(options, 0.01);
    const rates: number[] = [];
    const plateau = reduceLROnPlateau({ monitor: "loss", patience: 1, factor: 0.5, mode: "max" });
    const told: Callback = { onEpochBegin: (_, control) => void rates.push(control.learningRate) };
    await model.fit(data, { epochs: 3, batchSize: 4, shuffle: false, callbacks: [plateau, told] });
    let [w, b] = [0, 0];
    for (const rate of [0.01, 0.01, 0.005]) {
      const errors = [1, 2, 3, 4].map((x) => w * x + b - 2 * x);
      const gw = errors.reduce((sum, error, i) => sum + (2 * error * (i + 1)) / 4, 0);
      const gb = errors.reduce((sum, error) => sum + (2 * error) / 4, 0);
      [w, b] = [w - rate * gw, b - rate * gb];
    }
    expect(rates.map((rate) => Number(rate.toPrecision(6)))).toEqual([0.01, 0.01, 0.005]);
    expect((await model.getWeights())["dense.kernel"]?.data[0]).toBeCloseTo(w, 5);
    await model.close();
  });
});

describe("state", () => {
  const folder = newFolder();
  const values = [5, 4, 4.5, 4, 3.9999, 4.2, 4.1, 3, 3.5, 3.4, 3.3, 3.2];
  it.each<[string, () => Callback]>([
    ["early stopping", () => earlyStopping({ patience: 4 })],
    ["plateau", () => reduceLROnPlateau({ patience: 2, cooldown: 1, factor: 0.5 })],
    ["checkpoint", () => modelCheckpoint({ filepath: join(folder, "m"), saveBestOnly: true })],
  ])("of %s: a run that is cut anywhere goes on as the whole one", async (_, make) => {
    const whole = stage();
    const story = (await play(make(), values, whole)).split(", ");
    for (let cut = 1; cut < story.length; cut++) {
      const seen = stage();
      const before = make();
      const first = await play(before, values.slice(0, cut), seen);
      const after = make();
      await after.onTrainBegin?.(seen.control);
      await after.load?.(JSON.parse(JSON.stringify(before.state?.())) as Json);
      const second = await play(after, values.slice(cut), seen, cut);
      expect(`${first}, ${second}`.split(", ")).toEqual(story);
      expect(after.state?.()).toEqual((await finalState(make, values)) as Json);
    }
  });

  async function finalState(make: () => Callback, all: readonly number[]): Promise<unknown> {
    const callback = make();
    await play(callback, all, stage());
    return callback.state?.();
  }

  it.each<[string, () => Callback]>([
    ["earlyStopping", () => earlyStopping()],
    ["reduceLROnPlateau", () => reduceLROnPlateau()],
    ["modelCheckpoint", () => modelCheckpoint({ filepath: "m" })],
    ["csvLog", () => csvLog({ filename: "m.csv" })],
    ["tensorBoard", () => tensorBoard()],
  ])("of %s: what is none is refused", async (name, make) => {
    for (const state of [null, 3, [], {}, { best: "x", waited: 0, kept: true }, { bytes: NaN }] as Json[])
      await expect(async () => make().load?.(state)).rejects.toThrow(`${name}: the state does not fit: expected `);
  });
});

describe("the order at an epoch's end", () => {
  it("is history, then what has no stage, then early stopping, plateau, checkpoint, however they are listed", async () => {
    const seen: string[] = [];
    const named = (name: string, callback: Callback): Callback => ({
      ...callback,
      onEpochEnd: (_, logs) => void seen.push(`${name} ${Object.keys(logs).join("+")}`),
    });
    const callbacks = [
      named("checkpoint", modelCheckpoint({ filepath: "never", write: () => undefined })),
      named("plateau", reduceLROnPlateau()),
      named("own", {}),
      named("early stopping", earlyStopping()),
      named("another", {}),
    ];
    const model = line();
    await model.fit(data, { validationData: data, callbacks });
    const names = ["own", "another", "early stopping", "plateau", "checkpoint"];
    expect(seen).toEqual(names.map((name) => `${name} loss+valLoss`));
    await expect(model.fit(data, { callbacks: [{ stage: "late" } as unknown as Callback] })).rejects.toThrow(
      'fit: callback 0 has an unknown stage: expected stopping, rate, checkpoint, received "late".',
    );
    await model.close();
  });
});

describe("onBatchEnd", () => {
  it.each([{ threads: 1 }, { threads: 2 }, { backend: "reference" as const }])(
    "is called and waited for after each step, and changes nothing, %j",
    async (options) => {
      const quiet = line(options);
      const alone = await quiet.fit(data, { epochs: 2, batchSize: 3, shuffle: false });
      const loud = line(options);
      const seen: string[] = [];
      let busy = false;
      const listener: Callback = {
        onBatchEnd: async (step, logs) => {
          expect(busy).toBe(false);
          busy = true;
          await new Promise((resolve) => setTimeout(resolve, 1));
          busy = false;
          seen.push(`${step} ${Object.keys(logs).join()}`);
        },
      };
      const heard = await loud.fit(data, { epochs: 2, batchSize: 3, shuffle: false, callbacks: [listener] });
      expect(seen).toEqual(["0 loss", "1 loss", "0 loss", "1 loss"]);
      expect(heard.epochs).toEqual(alone.epochs);
      expect(await loud.getWeights()).toEqual(await quiet.getWeights());
      await Promise.all([quiet.close(), loud.close()]);
    },
  );

  it("cuts chunks only where somebody listens, and ends between steps", async () => {
    const many = {
      x: column(Array.from({ length: 4096 }, (_, i) => i % 3)),
      y: column(new Array<number>(4096).fill(1)),
    };
    const model = line();
    let reports = 0;
    const count = (): void => {
      reports++;
    };
    await model.fit(many, { epochs: 2, batchSize: 1, callbacks: [{ onProgress: count }] });
    expect(reports).toBeLessThan(2000);
    let steps = 0;
    const stopper: Callback = {
      onBatchEnd: (step, _, control) => {
        steps++;
        if (step === 6) control.stop();
      },
    };
    const history = await model.fit(many, { epochs: 2, batchSize: 1, callbacks: [stopper] });
    expect([steps, history.ended, history.epochs.length]).toEqual([7, "stopped", 0]);
    await model.close();
  });
});

describe("modelCheckpoint", () => {
  it("writes models that predict the same, and the best one alone where asked to", async () => {
    const folder = join(newFolder(), "a/b");
    const model = line();
    const written: number[] = [];
    const callbacks = [
      modelCheckpoint({ filepath: (epoch) => join(folder, `${epoch}.safetensors`), saveFreq: 2 }),
      modelCheckpoint({ filepath: join(folder, "weights"), saveWeightsOnly: true }),
      modelCheckpoint({
        filepath: "best",
        monitor: "loss",
        saveBestOnly: true,
        initialValueThreshold: 20,
        write: () => void written.push(1),
      }),
    ];
    const { epochs } = await model.fit(data, { epochs: 4, batchSize: 4, callbacks });
    expect(readdirSync(folder).sort()).toEqual(["1.safetensors", "3.safetensors", "weights"]);
    const again = await loadModel(join(folder, "3.safetensors"));
    expect((await again.predict(data.x)).data).toEqual((await model.predict(data.x)).data);
    const other = line();
    await other.loadWeights(join(folder, "weights"));
    expect(await other.getWeights()).toEqual(await model.getWeights());
    expect(written.length).toBe(epochs.filter(({ loss }) => loss! < 20).length);
    await Promise.all([model.close(), again.close(), other.close()]);
  });

  it.skipIf(process.platform === "win32")("does not put a file in the place of a pipe or a device", async () => {
    const path = join(newFolder(), "pipe");
    execFileSync("mkfifo", [path]);
    const model = line();
    for (const callback of [modelCheckpoint({ filepath: path }), csvLog({ filename: path })])
      await expect(model.fit(data, { callbacks: [callback] })).rejects.toThrow("cannot be written (it is no file)");
    expect(statSync(path).isFIFO()).toBe(true);
    await model.close();
  });

  it("leaves the file as it was, and nothing beside it, where it cannot write", async () => {
    const folder = newFolder();
    const path = join(folder, "model");
    mkdirSync(path); // a folder where the file should be: the rename fails
    const model = line();
    await expect(model.fit(data, { callbacks: [modelCheckpoint({ filepath: path })] })).rejects.toThrow(
      /model: the file cannot be written \(E\w+: .*\)\.$/,
    );
    expect(readdirSync(folder)).toEqual(["model"]);
    const missing = join(folder, "file", "model");
    writeFileSync(join(folder, "file"), "");
    await expect(model.fit(data, { callbacks: [modelCheckpoint({ filepath: missing })] })).rejects.toThrow(
      "the file cannot be written (E",
    );
    expect((await model.fit(data)).epochs).toHaveLength(1); // the next request works
    await model.close();
  });

  it("refuses patterns and what is no path", () => {
    expect(() => modelCheckpoint({ filepath: "m-{epoch:02d}.keras" })).toThrow(
      'modelCheckpoint: filepath is a pattern: expected a path, or a function (epoch, logs) => path, received "m-{epoch:02d}.keras". ' +
        "Write filepath: (epoch, logs) => `model-${epoch}-${logs.valLoss}.safetensors`.",
    );
    expect(() => modelCheckpoint({} as never)).toThrow("modelCheckpoint: filepath is missing");
  });
});

describe("csvLog", () => {
  const read = (path: string): string => readFileSync(path, "utf8");
  const { control } = stage();
  const write = async (callback: Callback, ...epochs: Logs[]): Promise<void> => {
    for (const [epoch, logs] of epochs.entries()) await callback.onEpochEnd?.(epoch, logs, control);
  };

  it("writes names and figures, quoted where they need it", async () => {
    const filename = join(newFolder(), "runs/log.csv");
    await write(csvLog({ filename }), { loss: 0.1, "a,b": 1e-20 }, { loss: NaN, "a,b": -3 });
    expect(read(filename)).toBe('epoch,loss,"a,b"\n0,0.1,1e-20\n1,NaN,-3\n');
    await write(csvLog({ filename, separator: ";" }), { loss: 2, 'say "x"': 1 });
    expect(read(filename)).toBe('epoch;loss;"say ""x"""\n0;2;1\n');
  });

  it("goes on in a file with the same columns, and refuses others", async () => {
    const filename = join(newFolder(), "log.csv");
    await write(csvLog({ filename }), { loss: 1 });
    await write(csvLog({ filename, append: true }), { loss: 2 });
    expect(read(filename)).toBe("epoch,loss\n0,1\n0,2\n");
    await expect(write(csvLog({ filename, append: true }), { valLoss: 2 })).rejects.toThrow(
      "log.csv: other columns: expected epoch,valLoss\\n, received epoch,loss\\n. Write to another file, or leave append out.",
    );
    expect(read(filename)).toBe("epoch,loss\n0,1\n0,2\n");
  });

  it("takes back what came after the checkpoint that a run goes on from", async () => {
    const filename = join(newFolder(), "log.csv");
    const first = csvLog({ filename });
    await write(first, { loss: 1 }, { loss: 2 });
    const state = (await first.state?.()) ?? null;
    await first.onEpochEnd?.(2, { loss: 99 }, control);
    const second = csvLog({ filename });
    await second.onTrainBegin?.(control);
    await second.load?.(state);
    await second.onEpochEnd?.(2, { loss: 3 }, control);
    expect(read(filename)).toBe("epoch,loss\n0,1\n1,2\n2,3\n");
  });

  it("says why it cannot write", async () => {
    const folder = newFolder();
    const filename = join(folder, "log.csv");
    mkdirSync(filename);
    await expect(write(csvLog({ filename, append: true }), { loss: 1 })).rejects.toThrow(
      /log\.csv: the file cannot be written \(E/,
    );
    expect(() => csvLog({ filename: "" })).toThrow(
      'csvLog: filename has the wrong type: expected a path, received "".',
    );
    expect(() => csvLog({ filename, separator: ",," })).toThrow("csvLog: separator has the wrong type");
    chmodSync(folder, 0o755);
  });
});

describe("progress", () => {
  const run = async (isTTY: boolean, verbose: 0 | 1 | 2): Promise<string> => {
    const parts: string[] = [];
    const model = line();
    const output = { isTTY, columns: 60, write: (text: string) => void parts.push(text) };
    await model.fit(data, { epochs: 2, batchSize: 2, callbacks: [progress({ verbose, output })] });
    await model.close();
    return parts
      .join("")
      .replaceAll(/\d+(us|ms|s)\b/g, "#$1")
      .replaceAll(/\d+\.\d+/g, "#")
      .replaceAll(/#\w+/g, "#");
  };

  it("writes a line for each epoch, a bar on a terminal, or nothing", async () => {
    const plain = "Epoch 1/2\n2/2 - # - #/step - loss: #\nEpoch 2/2\n2/2 - # - #/step - loss: #\n";
    expect(await run(false, 1)).toBe(plain);
    expect(await run(true, 2)).toBe(plain);
    expect(await run(true, 0)).toBe("");
    const live = await run(true, 1);
    expect(live).toContain("\r\u001b[K2/2 ━━━━━━━━━━━━━━━━━━━━ # #/step - loss: #");
    expect(live.split("\n").filter((text) => text.includes("2/2 - #"))).toHaveLength(2);
  });

  it("is silent in fit without a terminal, and refuses other levels", async () => {
    const model = line();
    await expect(model.fit(data, { verbose: 3 as never })).rejects.toThrow(
      "fit: verbose is unknown: expected 0, 1 or 2, received 3.",
    );
    await model.close();
  });
});
