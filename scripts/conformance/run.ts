/** Runs conformance cases through the public surface of the library. */
import { OptionError } from "torte";
import type { Case } from "./cases.js";
import { type BackendName, Check, NotBuilt, TOLERANCES } from "./check.js";
import { departureOf } from "./departures.js";
import { runLayer } from "./layers.js";
import { runLoss, runRecordedLoss } from "./losses.js";
import { runMetric } from "./metrics.js";
import { runModel } from "./models.js";
import { runOptimizer, runRecordedOptimizer } from "./optimizers.js";
import { NoSuchName } from "./recorded.js";
import { runSchedule } from "./schedules.js";

export { type BackendName, BACKENDS } from "./check.js";

export type Outcome =
  | { readonly status: "passed" }
  /** Differs as the table of departures says. */
  | { readonly status: "departs"; readonly reason: string }
  | { readonly status: "failed"; readonly problems: readonly string[] }
  | { readonly status: "not built"; readonly reason: string };

export async function runCase(conformance: Case, backend: BackendName): Promise<Outcome> {
  const outcome = await outcomeOf(conformance, backend);
  const departure = departureOf(conformance, backend);
  if (departure === undefined) return outcome;
  if (outcome.status === "passed")
    return { status: "failed", problems: ["the table of departures says that it differs; it does not"] };
  const found = outcome.status === "failed" ? outcome.problems : outcome.status === "not built" ? [outcome.reason] : [];
  const stated = found.some((text) => text.includes(departure.figure));
  return stated ? { status: "departs", reason: departure.reason } : outcome;
}

async function outcomeOf(conformance: Case, backend: BackendName): Promise<Outcome> {
  const check = new Check(TOLERANCES[backend]);
  try {
    switch (conformance.kind) {
      case "layer":
      case "masked":
        await runLayer(conformance, backend, check);
        break;
      case "loss":
        await ("inputs" in conformance
          ? runRecordedLoss(conformance, backend, check)
          : runLoss(conformance, backend, check));
        break;
      case "metric":
        await runMetric(conformance, backend, check);
        break;
      case "optimizer":
        await ("inputs" in conformance
          ? runRecordedOptimizer(conformance, backend, check)
          : runOptimizer(conformance, backend, check));
        break;
      case "schedule":
        runSchedule(conformance, backend, check);
        break;
      case "model":
        await runModel(conformance, backend, check);
        break;
      default:
        conformance satisfies never;
        return { status: "not built", reason: `kind ${JSON.stringify((conformance as { kind: unknown }).kind)}` };
    }
  } catch (error) {
    if (error instanceof NotBuilt || error instanceof NoSuchName) return { status: "not built", reason: error.message };
    // A name that the library does not have, such as that of an activation, is a thing not built; all else is a failure.
    if (error instanceof OptionError && / is unknown$|^unknown option/.test(error.facts.problem)) {
      return { status: "not built", reason: error.message };
    }
    return { status: "failed", problems: [error instanceof Error ? (error.stack ?? error.message) : String(error)] };
  }
  return check.problems.length === 0 ? { status: "passed" } : { status: "failed", problems: check.problems };
}

export function nameOf(conformance: Case): string {
  const options = "options" in conformance ? ` ${JSON.stringify(conformance.options)}` : "";
  return `${conformance.kind} ${conformance.name}${options}`;
}
