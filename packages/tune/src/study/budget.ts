/** How much a study may spend, over all its runs. */
import { checkOptions, OptionError, show } from "torte";

/** When a study ends. */
export interface Budget {
  /** Trials that are begun. */
  readonly trials?: number;
  /** Epochs of all trials together. */
  readonly epochs?: number;
  /** Seconds of the clock while the study runs. */
  readonly seconds?: number;
}

/** @throws OptionError for an empty budget, and for what is no number. */
export function checkBudget(budget: Budget): void {
  checkOptions("budget", budget, ["trials", "epochs", "seconds"]);
  const entries = Object.entries(budget).filter(([, value]) => value !== undefined);
  if (entries.length === 0)
    throw new OptionError({ where: "budget", problem: "it is empty", expected: "trials, epochs or seconds" });
  for (const [name, value] of entries) {
    const fits =
      typeof value === "number" &&
      value > 0 &&
      (name === "seconds" ? Number.isFinite(value) : Number.isSafeInteger(value));
    if (!fits)
      throw new OptionError({
        where: "budget",
        problem: `${name} is out of range`,
        expected: name === "seconds" ? "a number above 0" : "a whole number of at least 1",
        received: show(value),
      });
  }
}

/** Whether epochs or seconds are used up. */
export const isOver = (
  budget: Budget,
  { epochs, seconds }: { readonly epochs: number; readonly seconds: number },
): boolean => epochs >= (budget.epochs ?? Infinity) || seconds >= (budget.seconds ?? Infinity);
