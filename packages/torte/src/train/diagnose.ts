/** Finding the layer where a number stopped being finite. */
import type { Session } from "../backends/backend.js";
import { type Node, topological } from "../graph/node.js";
import * as ops from "../ops/index.js";
import type { Objective } from "./measure.js";
import { stepLoss, type TrainingStates } from "./programs.js";
import type { Resident } from "./resident.js";

/** Looks at every array of the forward pass of the step to come, in order. */
export async function findBadLayer(
  session: Session,
  objective: Objective,
  states: TrainingStates,
  data: Resident,
  batch: number,
): Promise<string> {
  const loss = stepLoss(objective, states, data, batch);
  const floats = topological([loss]).filter((node) => node.dtype === "float32" && node.op !== "constant");
  const finite = (node: Node): Node => ops.all(ops.less(ops.abs(node), Infinity));
  const executable = await session.compile({ name: "diagnose", outputs: floats.map(finite), updates: [] });
  const results = await session.run(executable).finally(() => session.unload(executable));
  const first = floats.find((_, i) => results[i]?.data[0] === 0);
  if (first === undefined) return "the optimizer";
  if (first.op === "state") return `the weight ${first.attributes.state.name}, which an earlier update has made so`;
  return first.origin === "" ? "the data" : first.origin;
}
