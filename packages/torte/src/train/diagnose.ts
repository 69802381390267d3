/** Finding where a number stopped being finite. */
import type { Session } from "../backends/backend.js";
import { type Node, topological } from "../graph/node.js";
import * as ops from "../ops/index.js";
import { type NotFinite, statisticsOf } from "./not-finite.js";
import { stepLoss, type Training } from "./programs.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Resident } from "./resident.js";
import { inTurns } from "../turns.js";

/** Looks at every array of the step to come in order: of the forward pass, then of the gradients from the last layer on. */
export async function findBadNumber(
  session: Session,
  training: Training,
  data: Resident,
  batch: number,
): Promise<Omit<NotFinite, "step">> {
  const { loss, gradients } = await inTurns(stepLoss(training, data, batch));
  const forward = topological([loss]).filter((node) => node.dtype === "float32" && node.op !== "constant");
  const backward = gradients
    .map((node, i) => ({ node, name: training.trained[i]?.facts.path ?? "a weight" }))
    .reverse();
  const all = [...forward.map((node) => ({ node, name: undefined })), ...backward];
  const finite = ({ node }: { node: Node }): Node => ops.all(ops.less(ops.abs(node), Infinity));
  const results = await valuesOf(session, all.map(finite));
  const first = all.find((_, i) => results[i]?.data[0] === 0);
  if (first === undefined) return { layer: "the optimizer", problem: "the update is not finite" };
  const { node, name } = first;
  const [values] = await valuesOf(session, [node]);
  const tensor = values === undefined ? {} : { tensor: statisticsOf(values.reshape(node.shape)) };
  if (name !== undefined) return { layer: name, problem: `the gradient of ${name} is not finite`, ...tensor };
  const layer = placeOf(node);
  return { layer, problem: `the loss is not finite; the first number that is not comes from ${layer}`, ...tensor };
}

async function valuesOf(session: Session, outputs: readonly Node[]): Promise<readonly Tensor[]> {
  const executable = await session.compile({ name: "diagnose", outputs, updates: [] });
  return session.run(executable).finally(() => session.unload(executable));
}

function placeOf(node: Node): string {
  if (node.op === "state") return `the weight ${node.attributes.state.name}, which an earlier update has made so`;
  return node.origin === "" ? "the data" : node.origin;
}
