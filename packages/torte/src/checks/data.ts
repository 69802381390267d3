/** Inputs for checks that were given none. */
import type { Network } from "../nn/network.js";
import { boundedDraws, hashName, mixKey, normalAt } from "../tensor/random.js";
import { sizeOf } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { inputLimits } from "../train/limits.js";

/** Tokens of inputs that go into no embedding. */
const ANY_TOKENS = 8;

/** Normal numbers, or tokens from 1 on, where `content(position)` holds; zeros elsewhere. */
export function randomInputs(
  network: Network,
  rows: number,
  seed: number,
  content: (at: readonly number[], row: number, shape: readonly number[]) => boolean,
): Tensor[] {
  return network.inputSpecs.map(({ name, shape, dtype }, i) => {
    const key = mixKey(seed, hashName(name), i);
    const below = boundedDraws(key);
    const tokens = dtype === "int32";
    const positions = tokens || shape.length === 1 ? shape : shape.slice(0, -1);
    const features = sizeOf(shape) / sizeOf(positions);
    const limits = inputLimits(network)[i];
    const token = (column: number): number => {
      const low = Math.max(1, limits?.low[column] ?? 1);
      return low + below(Math.max(1, (limits?.high[column] ?? ANY_TOKENS - 1) - low + 1));
    };
    const draw = (k: number): number => (tokens ? token(k % sizeOf(shape)) : normalAt(key, k));
    const data = tokens ? new Int32Array(rows * sizeOf(shape)) : new Float32Array(rows * sizeOf(shape));
    for (let k = 0; k < data.length; k++) {
      const place = Math.floor(k / features);
      const row = Math.floor(place / sizeOf(positions));
      // Without positions there is nothing that could be empty.
      const filled = !tokens && shape.length === 1 ? true : content(coordinates(place, positions), row, positions);
      if (filled) data[k] = draw(k);
    }
    return new Tensor(data, [rows, ...shape], tokens ? "int32" : "float32");
  });
}

function coordinates(place: number, shape: readonly number[]): number[] {
  const at: number[] = [];
  let rest = place;
  for (const n of [...shape].reverse()) {
    at.unshift(rest % n);
    rest = Math.floor(rest / n);
  }
  return at;
}
