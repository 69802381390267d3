/**
 * What a study costs beside its training: a proposal at 200 trials and 10 hyperparameters, and the bookkeeping of 60 trials without proposals
 * (choosing tasks, the journal on the disk, results for the scheduler) beside the training of 60 trials of the chapter's model. Times
 * are of the processor.
 *
 *   npx jiti scripts/tune/overhead.ts [seconds of an epoch]    writes results/overhead.json
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Search, space } from "../../packages/tune/src/index.js";
import { asha } from "../../packages/tune/src/schedulers/halving.js";
import { random as randomSearcher } from "../../packages/tune/src/searchers/simple.js";
import { Journal } from "../../packages/tune/src/storage/journal.js";
import { Leader } from "../../packages/tune/src/study/leader.js";
import { median } from "../../packages/tune/src/testing/functions.js";

const short = (value: number): number => Number(value.toPrecision(3));

/** Milliseconds of the processor, all threads together: those of the clock depend on who else runs. */
function spent(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Milliseconds of the last proposals of a search of 200 trials. */
function proposals(searcher: "gp" | "tpe"): { readonly least: number; readonly median: number } {
  const of = space((h) => Array.from({ length: 10 }, (_, i) => h.float(`x${i}`, 0, 1)));
  const search = new Search(of, { searcher });
  const tell = (at: number): void => {
    const trial = search.ask();
    if (trial === undefined) return;
    search.tell(
      at,
      trial.build().reduce((sum, x, i) => sum + (x - i / 10) ** 2, 0),
    );
  };
  for (let i = 0; i < 190; i++) tell(i);
  const times = Array.from({ length: 10 }, (_, i) => {
    const started = spent();
    tell(190 + i);
    return spent() - started;
  });
  return { least: short(Math.min(...times)), median: short(median(times)) };
}

/** Milliseconds of a study of 60 trials whose epochs take no time, with its journal, and how many epochs it had. */
async function bookkeeping(): Promise<{ readonly milliseconds: number; readonly epochs: number }> {
  const folder = mkdtempSync(join(tmpdir(), "torte-overhead-"));
  const { journal } = Journal.open(folder);
  const of = space((h) => h.float("rate", 0, 1));
  const done = new Map<number, number>();
  const started = spent();
  const leader = new Leader({
    space: of,
    searcher: randomSearcher(),
    scheduler: asha(),
    header: {
      event: "study",
      version: 1,
      seed: 0,
      parameters: of.parameters,
      objectives: [{ metric: "loss", direction: "min" }],
      value: "best",
      epochs: 27,
      repeats: 1,
      searcher: "random",
      scheduler: "asha",
      round: 0,
    },
    directions: ["min"],
    budget: { trials: 60 },
    confirm: { trials: 3, seeds: 3 },
    executor: {
      width: 2,
      run: async ({ trial, until, values, seed }, report) => {
        for (let epoch = seed === undefined ? (done.get(trial) ?? 0) : 0; epoch < until; epoch++)
          await report(epoch + 1, { values: [Number(values["rate"]) + 1 / (epoch + 1)], seconds: 0 });
        if (seed === undefined) done.set(trial, until);
        return { state: "finished" };
      },
      release: () => undefined,
      close: () => Promise.resolve(),
    },
    append: (event) => {
      journal.append(event);
    },
    events: [],
    onEvent: () => undefined,
    signal: undefined,
  });
  await leader.run();
  const milliseconds = spent() - started;
  journal.close();
  rmSync(folder, { recursive: true, force: true });
  return { milliseconds, epochs: leader.ledger.spentEpochs };
}

/** Of the chapter's model: 923 steps of 0.34 ms in one thread, as bench/results has it. */
const SECONDS_PER_EPOCH = Number(process.argv[2] ?? 0.31);

const runs = [await bookkeeping(), await bookkeeping(), await bookkeeping()];
const [least] = runs.sort((a, b) => a.milliseconds - b.milliseconds);
const { milliseconds = NaN, epochs = NaN } = least ?? {};
const result = {
  node: process.version,
  proposalMilliseconds: { gp: proposals("gp"), tpe: proposals("tpe"), trials: 200, hyperparameters: 10, bar: 50 },
  bookkeeping: {
    trials: 60,
    epochs,
    milliseconds: short(milliseconds),
    secondsOfAnEpoch: SECONDS_PER_EPOCH,
    share: short(milliseconds / 1000 / (epochs * SECONDS_PER_EPOCH)),
    bar: 0.01,
  },
};
console.log(JSON.stringify(result, undefined, 2));
writeFileSync(
  fileURLToPath(new URL("results/overhead.json", import.meta.url)),
  `${JSON.stringify(result, undefined, 2)}\n`,
);
