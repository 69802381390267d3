/** The float64 interpreter with a copy of a model's weights, and what the layers of the model give in it. */
import { createReferenceBackend } from "../backends/reference/index.js";
import type { Session } from "../backends/backend.js";
import { read } from "../graph/make.js";
import { type Node, State } from "../graph/node.js";
import { newTracing, type Traced } from "../nn/layer.js";
import { type Call, collector } from "../nn/inspect/call-tree.js";
import { ShapeError } from "../errors.js";
import type { SymbolicTensor } from "../nn/layer.js";
import type { Network } from "../nn/network.js";
import { computedAs } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";
import { finishing } from "../train/finish.js";
import type { AnyModel } from "../train/model.js";

/** Runs `use` over a session of the interpreter that holds the model's weights as they are. */
export async function withWeights<T>(model: AnyModel, use: (session: Session) => Promise<T>): Promise<T> {
  const session = createReferenceBackend().createSession();
  const { weights } = model.network;
  const values = await model.getWeights();
  const work = async (): Promise<T> => {
    await session.allocate([...weights.values()].map(({ state }) => state));
    for (const [name, { state }] of weights) {
      const value = values[name];
      if (value !== undefined) await session.write(state, value);
    }
    return use(session);
  };
  return finishing(work, [() => session.close()]);
}

/** States that hold the tensors: the network's inputs, and what belongs to them. */
export async function columnsFor(session: Session, network: Network, tensors: readonly Tensor[]): Promise<State[]> {
  const dtypes = network.inputSpecs.map(({ dtype }) => dtype);
  const columns = tensors.map(({ shape, dtype }, i) => new State(`check.${i}`, shape, dtypes[i] ?? computedAs(dtype)));
  await session.allocate(columns);
  for (const [i, tensor] of tensors.entries()) {
    const column = columns[i];
    if (column !== undefined) await session.write(column, tensor);
  }
  return columns;
}

/** What one application of a layer gives. */
export interface LayerResult {
  /** "block/conv1d". */
  readonly layer: string;
  readonly call: Call;
  readonly value: Tensor;
  readonly mask: Tensor | undefined;
}

/** Calls in the order of an explanation: a layer, then the layers inside it. */
export const inOrder = (calls: readonly Call[]): Call[] => calls.flatMap((call) => [call, ...inOrder(call.inner)]);

/** What every layer gives for the inputs, in inference; layers that cannot take inputs of these sizes are left out. */
export async function layerResults(
  network: Network,
  session: Session,
  inputs: readonly Tensor[],
): Promise<LayerResult[]> {
  const columns = await columnsFor(session, network, inputs);
  const { calls, observe } = collector();
  traceAsFarAsPossible(
    network,
    columns.map((column) => ({ value: read(column) })),
    observe,
  );
  const all = inOrder(calls);
  const outputs: Node[] = all.flatMap(({ result: { value, mask } }) => (mask === undefined ? [value] : [value, mask]));
  const run = await session.run(await session.compile({ name: "check", outputs, updates: [] }));
  const tensors = run.map((tensor) => tensor.reshape(tensor.shape.slice(1)));
  let next = 0;
  const take = (): Tensor => {
    const tensor = tensors[next++];
    if (tensor === undefined) throw new RangeError("a result is missing");
    return tensor;
  };
  return all.map((call) => ({
    layer: call.path,
    call,
    value: take(),
    mask: call.result.mask === undefined ? undefined : take(),
  }));
}

/** A dense layer behind a flattened sequence, say, fits one length only. */
function traceAsFarAsPossible(
  network: Network,
  inputs: readonly Traced[],
  observe: NonNullable<ReturnType<typeof newTracing>["observe"]>,
): void {
  const tracing = { ...newTracing(false), observe };
  const known = new Map<SymbolicTensor, Traced>();
  network.inputs.forEach((value, i) => {
    const given = inputs[i];
    if (given !== undefined) known.set(value, given);
  });
  for (const value of network.values) {
    if (known.has(value)) continue;
    const from = value.producer.inputs.map((input) => known.get(input)).filter((input) => input !== undefined);
    if (from.length < value.producer.inputs.length) continue;
    try {
      known.set(value, value.producer.layer.trace(from, tracing));
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
    }
  }
}
