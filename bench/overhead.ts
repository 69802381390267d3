/**
 * `npm run bench:overhead [-- BATCH...]`: what five metrics, clipping by the norm of all gradients, a moving average of the
 * weights, a schedule and every callback that writes no file add to a step of the chapter's model. Both models take turns
 * epoch by epoch, and of each the fastest epoch counts.
 */
import {
  adam,
  type Callback,
  cosineDecay,
  earlyStopping,
  type Model,
  reduceLROnPlateau,
  tensor,
  terminateOnNaN,
} from "torte";
import { dataOf, models, trainings, type Workload } from "./workloads.mjs";

const ROUNDS = 12;
const batches = process.argv.slice(2).map(Number);

/** The time of each epoch, from its first step to its last. */
class Clock implements Callback {
  readonly #best: number[] = [];
  #start = 0;

  readonly onEpochBegin = (): void => {
    this.#start = performance.now();
  };

  readonly onEpochEnd = (): void => {
    this.#best.push(performance.now() - this.#start);
  };

  get best(): number {
    return Math.min(...this.#best.slice(1));
  }
}

const bare = (model: Model): void => {
  model.compile({ optimizer: adam(), loss: "binaryCrossentropy" });
};

const rich = (model: Model): void => {
  model.compile({
    optimizer: adam({
      learningRate: cosineDecay({ initialLearningRate: 1e-3, decaySteps: 1e6 }),
      globalClipnorm: 1,
      useEma: true,
    }),
    loss: "binaryCrossentropy",
    metrics: ["accuracy", "precision", "recall", "f1Score", "mcc"],
  });
};

const watching = (): Callback[] => [
  earlyStopping({ monitor: "loss", patience: 1e6 }),
  reduceLROnPlateau({ monitor: "loss", patience: 1e6 }),
  terminateOnNaN(),
];

async function overhead(batch: number): Promise<void> {
  const workload: Workload = { ...(trainings[0] as Workload), batch, steps: Math.max(56, Math.floor(16384 / batch)) };
  const made = dataOf(workload);
  const rows = made.y.length;
  const data = { x: tensor(made.x, { shape: [rows, ...workload.shape] }), y: tensor(made.y, { shape: [rows] }) };
  const contestants = [bare, rich].map((compile) => {
    const model = models["chapter"]?.({});
    if (model === undefined) throw new Error("there is no chapter's model");
    compile(model as Model);
    return { model: model as Model, clock: new Clock(), callbacks: compile === rich ? watching() : [] };
  });
  for (let round = 0; round < ROUNDS; round++) {
    for (const { model, clock, callbacks } of contestants)
      await model.fit(data, { batchSize: batch, shuffle: false, verbose: 0, callbacks: [clock, ...callbacks] });
  }
  const [a = NaN, b = NaN] = contestants.map(({ clock }) => clock.best / workload.steps);
  const bar = batch >= 128 ? " (at most 5 %)" : "";
  console.log(
    `batch ${String(batch).padEnd(5)} bare ${a.toFixed(3)} ms, with everything ${b.toFixed(3)} ms: ${((b / a - 1) * 100).toFixed(1)} % more${bar}`,
  );
  for (const { model } of contestants) await model.close();
}

for (const batch of batches.length > 0 ? batches : [128, 16]) await overhead(batch);
