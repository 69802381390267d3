/** Units that are 0 whatever the input is: a relu that no example reaches passes no gradient on either. */
import type { Session } from "../backends/backend.js";
import { read } from "../graph/make.js";
import { State } from "../graph/node.js";
import { newTracing } from "../nn/layer.js";
import { type Call, collector } from "../nn/inspect/call-tree.js";
import type { Network } from "../nn/network.js";
import * as ops from "../ops/index.js";
import type { Tensor } from "../tensor/tensor.js";
import type { DeadUnits } from "./diagnosis.js";
import { finishing } from "./finish.js";

/** Layers whose results are activations; what comes behind them, pooling or dropout, shows the same zeros. */
const isActivation = ({ layer, inner }: Call): boolean =>
  inner.length === 0 && layer.kind !== "embedding" && (layer.weights.size > 0 || /activation|relu/i.test(layer.kind));

/** In inference, over the rows of `x`; only layers with dead units. */
export async function deadUnits(network: Network, session: Session, x: readonly Tensor[]): Promise<DeadUnits[]> {
  const dtypes = network.inputSpecs.map(({ dtype }) => dtype);
  const columns = x.map(({ shape }, i) => new State(`diagnosis.${i}`, shape, dtypes[i] ?? "float32"));
  const { calls, observe } = collector();
  network.trace(
    columns.map((column) => ({ value: read(column) })),
    { ...newTracing(false), observe },
  );
  const all = flat(calls).filter(isActivation);
  const alive = all.map(({ result: { value } }) => {
    const axes = value.shape.map((_, i) => i).slice(0, -1);
    return ops.any(ops.notEqual(value, 0), { axes });
  });
  await session.allocate(columns);
  const look = async (): Promise<DeadUnits[]> => {
    for (const [i, tensor] of x.entries()) {
      const column = columns[i];
      if (column !== undefined) await session.write(column, tensor);
    }
    const found = await session.run(await session.compile({ name: "dead units", outputs: alive, updates: [] }));
    return all
      .map(({ path }, i) => {
        const units = [...(found[i]?.data ?? [])];
        return { layer: path, dead: units.filter((unit) => unit === 0).length, units: units.length };
      })
      .filter(({ dead }) => dead > 0);
  };
  return finishing(look, [() => session.release(columns)]);
}

const flat = (calls: readonly Call[]): Call[] => calls.flatMap((call) => [call, ...flat(call.inner)]);
