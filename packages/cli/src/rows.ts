/** The rows of a dataset, brought out. */
import type { Predictor, Told } from "@torte/data";
import type { Dataset, Tensor } from "torte";

/** Inputs and targets of a part of a table, in its order; of several labels [rows × labels]. */
export async function rowsOf(
  part: Dataset,
): Promise<{ readonly x: readonly Tensor[]; readonly targets: Float64Array }> {
  const { columns, order } = await part.plan(0);
  const [y] = columns.y;
  return {
    x: columns.x.map((tensor) => tensor.take(order)),
    targets: Float64Array.from(y?.take(order).data ?? []),
  };
}

/** Targets and predictions of a part, in units of the target. */
export async function compare(predictor: Predictor, part: Dataset): Promise<Told> {
  const { target } = predictor.encoding;
  const { x, targets } = await rowsOf(part);
  const { values: predictions } = await predictor.outputs(x);
  if (target.kind === "regression") {
    const { kind, mean, deviation } = target;
    return { kind, targets: targets.map((value) => value * deviation + mean), predictions };
  }
  if (target.kind === "multiLabel")
    return { kind: target.kind, targets, predictions, thresholds: predictor.thresholds };
  return target.kind === "binary"
    ? { kind: "binary", targets, predictions, threshold: predictor.decision.threshold }
    : { kind: "multiClass", targets, predictions, classes: predictor.width };
}
