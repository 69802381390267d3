// Leads a study whose trials workers take from a database; writes to the standard output what it has become.
import { tune } from "@torte/tune";
import { tunable } from "../kill/tunable.mjs";

const [folder, url, trials] = process.argv.slice(2);
const study = await tune({
  ...tunable(folder),
  epochs: 9,
  searcher: "tpe",
  budget: { trials: Number(trials) },
  confirm: { trials: 2, seeds: 2 },
  parallel: { mode: "reproducible", round: 4 },
  ...(url === "" ? {} : { storage: { url, study: "killed", lease: 5 } }),
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
