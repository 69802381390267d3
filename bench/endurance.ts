/**
 * `npm run bench:endurance [-- STEPS]`: whether 10,000 training steps of the chapter's model at batch 16 take more memory at
 * the end than at the start, or more time: of the weights that are never used, the optimizer's moments decay towards
 * denormal numbers, which are several times slower where nothing is done about them.
 */
import { presentSetting } from "@torte/tune";
import { concatenateTensors, Dataset, split, tensor } from "torte";
import experiment from "../examples/solubility/experiment.js";
import { syntheticProteins } from "../examples/solubility/synthetic.js";

const STEPS = Number(process.argv[2] ?? 10_000);
const BATCH = 16;
const WINDOW = STEPS / 10;
if (!Number.isInteger(WINDOW) || WINDOW < 100) throw new Error("STEPS is a multiple of 10, at least 1000");

interface Mark {
  readonly step: number;
  readonly time: number;
  readonly rss: number;
}

const { positives, negatives } = syntheticProteins();
const x = concatenateTensors([positives, negatives]);
const labels = Float32Array.from({ length: x.shape[0] ?? 0 }, (_, i) => Number(i < (positives.shape[0] ?? 0)));
const rows = WINDOW * BATCH <= labels.length ? WINDOW * BATCH : labels.length;
const data = Dataset.fromTensors({ x, y: tensor(labels) })
  .shuffle()
  .take(rows)
  .batch(BATCH, { dropRemainder: true });

const h = presentSetting();
const model = experiment.model({ variant: "base", options: {}, data: split({ x, y: tensor(labels) }), h });
model.compile(typeof experiment.compile === "function" ? experiment.compile(h) : experiment.compile);

const marks: Mark[] = [];
await model.fit(data, {
  epochs: Math.ceil(STEPS / data.length),
  callbacks: [
    {
      onProgress: ({ epoch, step }) => {
        marks.push({ step: epoch * data.length + step, time: performance.now(), rss: process.memoryUsage.rss() });
      },
    },
  ],
});

/** From the report nearest to one step to the one nearest to the other. */
function between(from: number, to: number): { mean: number; rss: number } {
  const at = (step: number): Mark =>
    marks.reduce((best, mark) => (Math.abs(mark.step - step) < Math.abs(best.step - step) ? mark : best));
  const [first, last] = [at(from), at(to)];
  return { mean: (last.time - first.time) / (last.step - first.step), rss: last.rss };
}

const total = marks.at(-1)?.step ?? 0;
console.log("steps          ms per step   resident memory afterwards");
for (let from = 0; from + WINDOW <= total; from += WINDOW) {
  const { mean, rss } = between(from, from + WINDOW);
  console.log(
    `${`${from}–${from + WINDOW}`.padEnd(15)}${mean.toFixed(3).padStart(11)}${`${(rss / 2 ** 20).toFixed(0)} MiB`.padStart(20)}`,
  );
}
