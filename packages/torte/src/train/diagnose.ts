/** Finding where a number stopped being finite. */
import type { Session } from "../backends/backend.js";
import { type Node, topological } from "../graph/node.js";
import * as ops from "../ops/index.js";
import { stepLoss, type Training } from "./programs.js";
import type { Resident } from "./resident.js";

/** Looks at every array of the step to come in order: of the forward pass, then of the gradients from the last layer on. */
export async function findBadNumber(
  session: Session,
  training: Training,
  data: Resident,
  batch: number,
): Promise<{ layer: string; problem: string }> {
  const { loss, gradients } = stepLoss(training, data, batch);
  const forward = topological([loss]).filter((node) => node.dtype === "float32" && node.op !== "constant");
  const backward = gradients
    .map((node, i) => ({ node, name: training.trained[i]?.facts.path ?? "a weight" }))
    .reverse();
  const all = [...forward.map((node) => ({ node, name: undefined })), ...backward];
  const finite = ({ node }: { node: Node }): Node => ops.all(ops.less(ops.abs(node), Infinity));
  const executable = await session.compile({ name: "diagnose", outputs: all.map(finite), updates: [] });
  const results = await session.run(executable).finally(() => session.unload(executable));
  const first = all.find((_, i) => results[i]?.data[0] === 0);
  if (first === undefined) return { layer: "the optimizer", problem: "the update is not finite" };
  const { node, name } = first;
  if (name !== undefined) return { layer: name, problem: `the gradient of ${name} is not finite` };
  const layer = placeOf(node);
  return { layer, problem: `the loss is not finite; the first number that is not comes from ${layer}` };
}

function placeOf(node: Node): string {
  if (node.op === "state") return `the weight ${node.attributes.state.name}, which an earlier update has made so`;
  return node.origin === "" ? "the data" : node.origin;
}
