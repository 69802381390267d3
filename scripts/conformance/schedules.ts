/** Cases of learning-rate schedules. */
import { optimizerOf } from "torte";
import type { RecordedScheduleCase } from "./cases.js";
import { type BackendName, built, type Check, toleranceOf } from "./check.js";

export function runSchedule(conformance: RecordedScheduleCase, backend: BackendName, check: Check): void {
  const { name, options, inputs, expected } = conformance;
  built(name);
  const { learningRate } = optimizerOf({ kind: "sgd", options: { learningRate: { $schedule: name, options } } });
  if (typeof learningRate === "number") throw new RangeError("a schedule is no number");
  check.numbers("rate", expected.data, inputs.step.data.map(learningRate.at), toleranceOf(conformance, backend));
}
