/** What is chosen on validation data, and weights that follow the training part's classes. */
import {
  type CalibrationMethod,
  chooseDecision,
  chooseDecisions,
  type Decision,
  Predictor,
  type TableEncoding,
} from "@torte/data";
import { type ClassWeight, type Dataset, type Model, refuseTest } from "torte";
import { rowsOf } from "./rows.js";

/** Calibration and threshold of what the models say together. */
export async function decide(
  models: readonly Model[],
  encoding: TableEncoding,
  validation: Dataset,
  method: CalibrationMethod,
): Promise<Decision> {
  refuseTest("threshold", validation);
  const predictor = new Predictor(models, encoding);
  const { x, targets } = await rowsOf(validation);
  const { values } = await predictor.outputs(x);
  if (encoding.target.kind === "multiLabel") return chooseDecisions(method, values, targets, predictor.width);
  return chooseDecision(method, values, targets, Math.max(2, predictor.width));
}

/** rows / (classes · rows of the class). */
export async function classWeightOf(train: Dataset): Promise<ClassWeight> {
  const { targets } = await rowsOf(train);
  const counts = new Map<number, number>();
  for (const label of targets) counts.set(label, (counts.get(label) ?? 0) + 1);
  return Object.fromEntries([...counts].map(([label, count]) => [label, targets.length / (counts.size * count)]));
}
