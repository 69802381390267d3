/**
 * `npm run module-hashes`: the SHA-256 of every WebAssembly module, its constants included, that the benchmark's workloads
 * make: a training step, an evaluation and a prediction, on one and two threads, in both precisions. A change that only
 * moves or renames things leaves every line as it is.
 *
 *   npm run --silent module-hashes > before.txt; …; npm run --silent module-hashes | diff before.txt -
 */
import { createHash } from "node:crypto";
import { Worker } from "node:worker_threads";
import { type Model, type ModelOptions, tensor } from "torte";
import { dataOf, models, trainings, type Workload } from "../bench/workloads.mjs";

interface Load {
  readonly action: string;
  readonly code: Uint8Array;
  readonly writes: readonly { readonly data: ArrayBuffer }[];
}

const isLoad = (message: unknown): message is Load => (message as { action?: unknown }).action === "load";

/** What the engine is given to load, as it is sent. */
let loads: string[] = [];
// eslint-disable-next-line @typescript-eslint/unbound-method
const send = Worker.prototype.postMessage;
Worker.prototype.postMessage = function (this: Worker, message: unknown, ...rest): void {
  if (isLoad(message)) {
    const hash = createHash("sha256").update(message.code);
    for (const { data } of message.writes) hash.update(new Uint8Array(data));
    loads.push(hash.digest("hex"));
  }
  send.call(this, message, ...rest);
};

async function hashesOf(workload: Workload, options: ModelOptions): Promise<readonly string[]> {
  loads = [];
  const { shape, classes, tokens } = workload;
  // More than one batch, and few of the large ones: the programs are those of the benchmark all the same.
  const rows = { ...workload, steps: 1 };
  const data = dataOf(rows);
  const input = tokens === undefined ? "float32" : "int32";
  const x = tensor(data.x, { shape: [workload.batch, ...shape], dtype: input });
  const y = tensor(data.y, { shape: [workload.batch, 1] });
  const model: Model | undefined = models[workload.model]?.(options);
  if (model === undefined) throw new Error(`no model ${workload.model}`);
  model.compile({
    optimizer: "adam",
    loss: classes === 1 ? "binaryCrossentropy" : "sparseCategoricalCrossentropy",
    metrics: ["accuracy"],
  });
  await model.fit({ x, y }, { batchSize: workload.batch });
  await model.evaluate({ x, y }, { batchSize: workload.batch });
  await model.predict(x, { batchSize: workload.batch });
  await model.close();
  return loads;
}

for (const workload of trainings) {
  for (const threads of [1, 2]) {
    for (const precision of ["fast", "reproducible"] as const) {
      const hashes = await hashesOf(workload, { threads, precision });
      hashes.forEach((hash, i) => {
        const program = ["train", "evaluate", "predict"][i] ?? String(i);
        console.log(
          `${workload.name.padEnd(22)} ${threads} thread(s) ${precision.padEnd(12)} ${program.padEnd(8)} ${hash}`,
        );
      });
    }
  }
}
