// A study of the tests that kill: led to its end, and what it has become written to the standard output.
import { tune } from "@torte/tune";
import { tunable } from "./tunable.mjs";

/** `how` says who runs the trials. */
export async function lead(folder, trials, how) {
  const study = await tune({
    ...tunable(folder),
    epochs: 9,
    searcher: "tpe",
    budget: { trials: Number(trials) },
    confirm: process.env.TORTE_TEST_CONFIRM === "no" ? false : { trials: 2, seeds: 2 },
    parallel: { mode: "reproducible", round: 4 },
    ...how,
  });
  const facts = study.trials.map(({ number, values, state, epochs, results, confirmed }) => ({
    number,
    values,
    state,
    epochs,
    results,
    confirmed: confirmed.map(String).sort(),
  }));
  process.stdout.write(JSON.stringify({ facts, epochs: study.cost.epochs }));
  process.exit(0);
}
