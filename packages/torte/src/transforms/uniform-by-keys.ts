/**
 * The numbers that `uniform` draws, for a batch of keys: tensor/random.ts written in ops. Words are int32; what it shifts
 * to the right is taken apart into sign and rest, as there is no such primitive.
 */
import { constant, iota } from "../graph/make.js";
import type { Node } from "../graph/node.js";
import * as ops from "../ops/index.js";
import { MIX, mix as mixWord } from "../tensor/random.js";
import { type Shape, sizeOf } from "../tensor/shape.js";

const SIGN = -(2 ** 31);

/** x >>> by */
function shifted(x: Node, by: number): Node {
  const rest = ops.div(ops.where(ops.less(x, 0), ops.bitXor(x, SIGN), x), 2 ** by);
  return ops.add(
    rest,
    ops.where(ops.less(x, 0), constant(2 ** (31 - by), x.shape, "int32"), constant(0, x.shape, "int32")),
  );
}

function mix(word: Node): Node {
  let x = ops.bitXor(word, shifted(word, 16));
  x = ops.mul(x, MIX.first);
  x = ops.bitXor(x, shifted(x, 15));
  x = ops.mul(x, MIX.second);
  return ops.bitXor(x, shifted(x, 16));
}

/** [keys, ...shape] for keys [keys, 2] of seed and step. */
export function uniformByKeys(keys: Node, stream: number, shape: Shape): Node {
  const [count = 0] = keys.shape;
  const [seed, step] = [ops.slice(keys, 1, 0, 1), ops.slice(keys, 1, 1, 2)];
  const own = mixWord((stream + MIX.stream) | 0);
  const k0 = mix(ops.add(ops.bitXor(seed, own), ops.mul(step, MIX.step)));
  const k1 = mix(ops.add(k0, MIX.key));
  const counter = iota([count, sizeOf(shape)], 1);
  const bits = mix(ops.add(mix(ops.bitXor(counter, k0)), k1));
  const uniform = ops.mul(ops.cast(shifted(bits, 8), "float32"), 2 ** -24);
  return ops.reshape(uniform, [count, ...shape]);
}
