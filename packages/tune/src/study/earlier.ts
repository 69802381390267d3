/** What an earlier study has found, from its folder. */
import { basename, resolve } from "node:path";
import type { Earlier } from "../searchers/searcher.js";
import { readJournal } from "../storage/journal.js";
import { Ledger } from "./ledger.js";
import { signOf } from "./search.js";

/** The results of a study's folder. @throws DataError where there is no journal. */
export function readEarlier(folder: string): Earlier {
  const events = readJournal(folder);
  const [first] = events;
  const name = basename(resolve(folder));
  if (first?.event !== "study") return { name, trials: [] };
  const signs = first.objectives.map(({ direction }) => signOf(direction ?? "min"));
  const ledger = new Ledger({ signs, value: first.value, round: first.round });
  for (const event of events) ledger.apply(event);
  const trials = ledger.observed.flatMap(({ values, losses }) =>
    losses === undefined || !Number.isFinite(losses[0]) ? [] : [{ values, loss: losses[0] ?? NaN }],
  );
  return { name, trials };
}
