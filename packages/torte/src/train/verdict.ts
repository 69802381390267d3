/** What the verdict on a run needs to know of its model and data. */
import type { EpochPlan } from "../data/dataset.js";
import type { Tensor } from "../tensor/tensor.js";
import { baselineOf } from "./baseline.js";
import type { TrainingSetup } from "./training-setup.js";
import { deadUnits } from "./dead-units.js";
import type { Evidence } from "./diagnosis.js";
import type { EngineModel } from "./engine-model.js";
import { walk } from "../nn/inspect/call-tree.js";
import { networkFor } from "../nn/open-axes.js";

/** Rows that are looked at for dead units. */
const ROWS = 256;

/** Data that is known by rows; a stream is not. */
export interface RunData {
  readonly train: EpochPlan | undefined;
  readonly validation: EpochPlan | undefined;
}

export async function evidenceOn(
  model: EngineModel,
  { objective }: TrainingSetup,
  { train, validation }: RunData,
): Promise<Pick<Evidence, "baselines" | "dead" | "dropout">> {
  const dropout = dropoutRate(model);
  if (train === undefined) return { baselines: [], dead: [], dropout };
  const baselines = objective.goals.map((goal, i) => baselineOf(goal, i, train, validation ?? train));
  await model.prepare();
  const rows = firstRows(train);
  return { baselines, dead: await deadUnits(networkFor(model.network, rows), model.session, rows), dropout };
}

const firstRows = ({ columns, order }: EpochPlan): Tensor[] =>
  columns.x.map((tensor) => tensor.take(order.subarray(0, ROWS)));

function dropoutRate({ network }: EngineModel): number {
  let most = 0;
  const look = (calls: ReturnType<typeof walk>["calls"]): void => {
    for (const { layer, inner } of calls) {
      if (/dropout/i.test(layer.kind) && "rate" in layer.options) most = Math.max(most, Number(layer.options.rate));
      look(inner);
    }
  };
  look(walk(network).calls);
  return most;
}
