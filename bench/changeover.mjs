// @ts-check
/**
 * What the change from WebAssembly to native code costs the step that waits for it: `npm run build && node bench/changeover.mjs`.
 * Each of three networks trains with `backend: "auto"` until its step is native; the engine's time for the request that replaces
 * the code is measured from the answer before it, or from the request itself where the engine was idle. The library lies in the
 * cache from the second round on.
 */
import { Worker } from "node:worker_threads";
import { Tensor } from "torte";
import { dataOf, models, trainings } from "./workloads.mjs";

/** Milliseconds of each request that replaces code. @type {number[]} */
let changes = [];
/** @type {Map<number, number>} */
const asked = new Map();
let answered = 0;
const heard = new WeakSet();
// eslint-disable-next-line @typescript-eslint/unbound-method
const send = Worker.prototype.postMessage;
Worker.prototype.postMessage = function (message, ...rest) {
  if (!heard.has(this)) {
    heard.add(this);
    this.on("message", (/** @type {{ id?: number }} */ { id = -1 }) => {
      const now = performance.now();
      const from = asked.get(id);
      if (from !== undefined) changes.push(now - Math.max(from, answered));
      asked.delete(id);
      answered = now;
    });
  }
  if (message?.action === "replace") asked.set(message.id, performance.now());
  send.call(this, message, ...rest);
};

for (const name of ["chapter, batch 128", "mlp, batch 128", "residual 1D, batch 64"]) {
  const work = trainings.find((found) => found.name === name);
  const make = models[work?.model ?? ""];
  if (work === undefined || make === undefined) throw new Error(`no workload ${name}`);
  const { x, y } = dataOf(work);
  const rows = work.batch * work.steps;
  const data = {
    x: new Tensor(x, [rows, ...work.shape], x instanceof Int32Array ? "int32" : "float32"),
    y: new Tensor(y, [rows, 1], "float32"),
  };
  for (const threads of [1, 2]) {
    changes = [];
    for (let round = 0; round < 6; round++) {
      const model = make({ threads, backend: "auto" });
      const loss = work.classes === 1 ? "binaryCrossentropy" : "sparseCategoricalCrossentropy";
      model.compile({ optimizer: "adam", loss });
      const until = performance.now() + 60_000;
      const before = changes.length;
      while (changes.length === before && performance.now() < until)
        await model.fit(data, { epochs: 1, batchSize: work.batch, verbose: 0 });
      await model.close();
    }
    changes.sort((a, b) => a - b);
    const median = changes[changes.length >> 1] ?? NaN;
    console.log(
      `${name}, ${threads} threads: ${changes[0]?.toFixed(2)} ms at least, ${median.toFixed(2)} in the median of ${changes.length}`,
    );
  }
}
