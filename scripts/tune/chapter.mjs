/**
 * A study of the chapter's network on the chapter's data: block by block, with what trains it. The chapter's own setting is the first trial. It is
 * led with a budget of epochs; then its best setting and the chapter's own are trained with fresh seeds, on the same proteins and on another
 * division of them. Two workers of one thread each; the test part stays sealed. Run it after a build:
 *
 *   TORTE_DATA=/where/solubility.npz/is node scripts/tune/chapter.mjs [epochs] [folder]     results/chapter.json
 */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  adam,
  concatenateTensors,
  conv1d,
  dense,
  dropout,
  embedding,
  flatten,
  globalAveragePooling1d,
  globalMaxPooling1d,
  input,
  loadNpz,
  maxPooling1d,
  sequential,
  split,
  tensor,
} from "torte";
import { byHand, serveTrials, tune } from "@torte/tune";

/** Epochs of a trial that is not stopped. */
const EPOCHS = 15;
const FRESH_SEEDS = 5;

async function proteins(seed) {
  const { positives, negatives } = await loadNpz(join(process.env.TORTE_DATA ?? "", "solubility.npz"));
  const x = concatenateTensors([positives, negatives]);
  const y = tensor(Float32Array.from({ length: x.shape[0] }, (_, i) => Number(i < positives.shape[0])));
  const { train, validation } = split({ x, y }, { validation: 0.1, test: 0.1, seed });
  return { train, validation };
}

const HEADS = { flatten, average: globalAveragePooling1d, max: globalMaxPooling1d };

/** The chapter's three convolutions and three dense layers are the defaults. */
function network(h, options) {
  const blocks = h.int("blocks", 1, 3, { default: 3 });
  const filters = h.int("filters", 8, 64, { log: true, default: 16 });
  const kernel = h.int("kernel", 3, 9, { step: 2, default: 5 });
  const head = h.categorical("head", Object.keys(HEADS), { default: "flatten" });
  const rate = h.float("dropout", 0, 0.6, { default: 0 });
  const units = h.int("units", 32, 256, { log: true, default: 256 });
  const convolutions = [
    [kernel, 4],
    [3, 2],
    [3, 2],
  ].slice(0, blocks);
  return sequential(
    input({ shape: [200], dtype: "int32" }),
    embedding({ inputDim: 21, outputDim: h.int("embedding", 4, 32, { log: true, default: 16 }), maskZero: true }),
    ...convolutions.flatMap(([kernelSize, poolSize]) => [
      conv1d({ filters, kernelSize, activation: "relu" }),
      maxPooling1d({ poolSize }),
    ]),
    HEADS[head](),
    dropout({ rate }),
    dense({ units, activation: "relu" }),
    dropout({ rate }),
    dense({ units: h.int("last", 16, 128, { log: true, default: 64 }), activation: "relu" }),
    dropout({ rate }),
    dense({ units: 1, activation: "sigmoid" }),
    { ...options, threads: 1 },
  );
}

const tunable = async (division) => ({
  model: network,
  compile: (h) => ({
    optimizer: adam({ learningRate: h.float("learningRate", 1e-4, 1e-2, { log: true, default: 1e-3 }) }),
    loss: "binaryCrossentropy",
    metrics: ["auroc"],
  }),
  fit: (h) => ({ batchSize: h.ordered("batch", [16, 32, 64, 128], { default: 16 }) }),
  data: await proteins(division),
  objective: { metric: "auroc" },
});

const program = fileURLToPath(import.meta.url);

async function study(root, name, division, options) {
  const folder = join(root, name);
  const started = performance.now();
  const result = await tune({
    ...(await tunable(division)),
    folder,
    epochs: EPOCHS,
    workers: { count: 2, program, args: ["worker", folder, String(division)] },
    ...options,
  });
  return { result, seconds: Math.round((performance.now() - started) / 1000) };
}

const short = (value) => Number(value.toPrecision(4));
const confirmed = ({ mean, standardError, runs }) => ({ mean: short(mean), standardError: short(standardError), runs });

/** Both settings in full, then with fresh seeds. */
async function compared(root, division, chapter, best) {
  const { result } = await study(root, `fresh-${division}`, division, {
    seed: 1000 + division,
    searcher: byHand([chapter, best]),
    scheduler: "none",
    budget: { trials: 2 },
    confirm: { trials: 2, seeds: FRESH_SEEDS },
  });
  const [own, found] = [0, 1].map((number) => result.finalists.find((trial) => trial.number === number)?.confirmation);
  return { chapter: confirmed(own), tuned: confirmed(found), gain: short(found.mean - own.mean) };
}

async function main(epochs, root) {
  const { result, seconds } = await study(root, "study", 0, { budget: { epochs } });
  console.log(result.report());
  const { best, trials, cost } = result;
  const trained = trials.reduce((sum, trial) => sum + trial.seconds, 0);
  const written = {
    node: process.version,
    budget: { epochs },
    trials: trials.length,
    complete: trials.filter(({ state }) => state === "complete").length,
    epochs: cost.epochs,
    seconds,
    secondsOfTraining: Math.round(trained),
    size: String(result.space.size),
    best: { number: best.number, seen: short(best.seen), confirmed: confirmed(best.confirmation), values: best.values },
    firstTrial: { values: trials[0].values, seen: short(trials[0].results[0]) },
    importance: Object.fromEntries(Object.entries(result.importance()).map(([name, share]) => [name, short(share)])),
    freshSeeds: await compared(root, 0, trials[0].values, best.values),
    freshSeedsOtherDivision: await compared(root, 1, trials[0].values, best.values),
    bar: 0.03,
  };
  console.log(written);
  writeFileSync(new URL("results/chapter.json", import.meta.url), `${JSON.stringify(written, undefined, 2)}\n`);
}

const [first = "1000", second, third] = process.argv.slice(2);
if (first === "worker") await serveTrials(async () => ({ ...(await tunable(Number(third))), folder: second }));
else {
  await main(Number(first), second ?? mkdtempSync(join(tmpdir(), "torte-chapter-")));
  process.exit(0);
}
