/** What the verdict on a run needs to know of its model and data. */
import type { EpochPlan } from "../data/dataset.js";
import type { Tensor } from "../tensor/tensor.js";
import { type Baseline, baselineOf } from "./baseline.js";
import type { TrainingSetup } from "./training-setup.js";
import { deadUnits } from "./dead-units.js";
import type { EngineModel } from "./engine-model.js";
import type { Run } from "./history.js";
import { walk } from "../nn/inspect/call-tree.js";
import { networkFor } from "../nn/open-axes.js";

/** Rows that are looked at for dead units. */
const ROWS = 256;

/** Data that is known by rows; a stream is not. */
export interface RunData {
  readonly train: EpochPlan | undefined;
  readonly validation: EpochPlan | undefined;
}

export function verdictOn(model: EngineModel, { figures, objective }: TrainingSetup, data: () => RunData): Run {
  const baselines = (): Baseline[] => {
    const { train, validation } = data();
    if (train === undefined) return [];
    return objective.goals.map((goal, i) => baselineOf(goal, i, train, validation ?? train));
  };
  return {
    direction: (figure) => figures.direction(figure),
    baselines: () => Promise.resolve(baselines()),
    deadUnits: async () => {
      const { train } = data();
      if (train === undefined) return [];
      await model.prepare();
      const rows = firstRows(train);
      return deadUnits(networkFor(model.network, rows), model.session, rows);
    },
    dropout: () => dropoutRate(model),
  };
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
