/** Sequences of any length on their way to a network for some lengths: filled up behind their end, and cut back. */
import type { Columns } from "../data/dataset.js";
import { lengthOf, networkAt, roundedLength } from "../nn/open-axes.js";
import type { Network } from "../nn/network.js";
import { arrayOf, Tensor } from "../tensor/tensor.js";
import type { Goal } from "./measure.js";

/** The columns filled up to the next length that is compiled, with the lengths of all rows behind the inputs. */
export function filledUp(network: Network, goals: readonly Goal[], columns: Columns): Columns {
  if (!network.isOpen) return columns;
  const length = lengthOf(network, columns.x);
  const room = roundedLength(length);
  const rows = columns.x[0]?.shape[0] ?? 0;
  const open = network.inputs.map(({ other }) => other !== undefined);
  const counts = open.flatMap((is) => (is ? [new Tensor(new Int32Array(rows).fill(length), [rows, 1], "int32")] : []));
  const large = networkAt(network, room, true);
  const places = goals.map(({ output }) => ({
    isOpen: network.outputs[output]?.other !== undefined,
    room: large.outputs[output]?.shape[1] ?? 1,
  }));
  const placed = (tensors: readonly Tensor[]): Tensor[] =>
    tensors.map((tensor, i) => {
      const place = places[tensors.length === 1 && places.length > 1 ? 0 : i];
      const byPosition = place?.isOpen === true && tensor.shape.length > 1 && tensor.shape[1] !== 1;
      return byPosition || (place?.isOpen === true && length === 1) ? widened(tensor, place.room) : tensor;
    });
  return {
    x: [...columns.x.map((tensor, i) => (open[i] === true ? widened(tensor, room) : tensor)), ...counts],
    y: placed(columns.y),
    ...(columns.sampleWeight === undefined ? {} : { sampleWeight: placed(columns.sampleWeight) }),
  };
}

/** Zeros behind axis 1, up to so many positions. */
function widened({ data, shape, dtype }: Tensor, to: number): Tensor {
  const [rows = 0, length = 0, ...rest] = shape;
  if (length >= to) return new Tensor(data, shape, dtype);
  const size = rest.reduce((a, b) => a * b, 1);
  const wide = arrayOf(dtype, rows * to * size);
  for (let row = 0; row < rows; row++)
    wide.set(data.subarray(row * length * size, (row + 1) * length * size), row * to * size);
  return new Tensor(wide, [rows, to, ...rest], dtype);
}

/** Outputs as they are for sequences of exactly this length. */
export function cutBack(network: Network, length: number, outputs: readonly Tensor[]): Tensor[] {
  const exact = networkAt(network, length, false);
  return outputs.map((output, i) => {
    if (network.outputs[i]?.other === undefined) return output;
    const { data, shape, dtype } = output;
    const [rows = 0, from = 0, ...rest] = shape;
    const to = exact.outputs[i]?.shape[1] ?? from;
    const size = rest.reduce((a, b) => a * b, 1);
    const cut = arrayOf(dtype, rows * to * size);
    for (let row = 0; row < rows; row++) {
      const start = row * from * size;
      cut.set(data.subarray(start, start + to * size), row * to * size);
    }
    return new Tensor(cut, [rows, to, ...rest], dtype);
  });
}
