/**
 * `npm run bench:stream`: what it costs to train on a stream of batches from an async generator instead of on resident rows: the
 * chapter's model at batch 128, epochs of both in turn.
 */
import { adam, type Model, type Rows, tensor } from "torte";
import { dataOf, models, trainings } from "./workloads.mjs";

const ROUNDS = 15;
const workload = trainings.find(({ name }) => name === "chapter, batch 128");
if (workload === undefined) throw new Error("there is no such workload");
const { batch, steps, shape } = workload;
const data = dataOf(workload);
const rows = batch * steps;
const x = tensor(data.x, { shape: [rows, ...shape] });
const y = tensor(data.y, { shape: [rows, 1] });

async function* batches(): AsyncGenerator<Rows> {
  for (let from = 0; from < rows; from += batch) {
    await Promise.resolve();
    yield { x: x.rows(from, from + batch), y: y.rows(from, from + batch) };
  }
}

function learner(threads: number): Model {
  const model = models["chapter"]?.({ threads });
  if (model === undefined) throw new Error("there is no such model");
  model.compile({ optimizer: adam(), loss: "binaryCrossentropy" });
  return model;
}

const timed = async (run: () => Promise<unknown>): Promise<number> => {
  const start = performance.now();
  await run();
  return performance.now() - start;
};

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;
/** Epochs in a sample. */
const EPOCHS = 5;

for (const threads of [1, 2]) {
  const [resident, streamed] = [learner(threads), learner(threads)];
  const samples: { resident: number; streamed: number }[] = [];
  for (let round = -2; round < ROUNDS; round++) {
    const options = { epochs: EPOCHS, verbose: 0 } as const;
    const sample = {
      resident: await timed(() => resident.fit({ x, y }, { ...options, batchSize: batch, shuffle: false })),
      streamed: await timed(() => streamed.fit(batches, options)),
    };
    if (round >= 0) samples.push(sample);
  }
  const least = (of: "resident" | "streamed"): number => Math.min(...samples.map((sample) => sample[of]));
  const perStep = (ms: number): string => (ms / steps / EPOCHS).toFixed(3);
  const ratio = median(samples.map((sample) => sample.streamed / sample.resident));
  console.log(
    `${threads} threads: resident ${perStep(least("resident"))} ms a step, streamed ${perStep(least("streamed"))}; ` +
      `${((least("streamed") / least("resident") - 1) * 100).toFixed(1)} % more by the best, ${((ratio - 1) * 100).toFixed(1)} % by the median of pairs`,
  );
  await Promise.all([resident.close(), streamed.close()]);
}
