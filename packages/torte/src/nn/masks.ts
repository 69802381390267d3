/**
 * Masks: bool [batch, length], true where a position belongs to the sequence. Wherever a value has a mask, its masked
 * positions are zero; every layer keeps that.
 */
import { MaskError } from "../errors.js";
import { constant } from "../graph/make.js";
import type { Node } from "../graph/node.js";
import * as ops from "../ops/index.js";
import { formatShape, sameShape } from "../tensor/shape.js";
import type { Traced } from "./layer.js";

/** Lower than any value of a network, and finite, so that a maximum over nothing gives no infinity. */
export const LOWEST = -3.4028234663852886e38;

/** The mask with axes of size 1 up to the rank of the value, to be broadcast. */
export function spreadMask(mask: Node, rank: number): Node {
  return ops.reshape(mask, [...mask.shape, ...Array<number>(rank - mask.shape.length).fill(1)]);
}

/** The value with masked positions set to zero, and its mask. */
export function masked(value: Node, mask: Node | undefined): Traced {
  if (mask !== undefined && !sameShape(mask.shape, value.shape.slice(0, mask.shape.length))) {
    throw new MaskError({
      where: "masked",
      problem: "the mask does not fit the value",
      expected: `one of ${value.shape[1] ?? 0} positions for ${formatShape([null, ...value.shape.slice(1)])}`,
      received: `one of ${mask.shape[1] ?? 0}`,
    });
  }
  return mask === undefined ? { value } : { value: ops.where(spreadMask(mask, value.shape.length), value, 0), mask };
}

/** Number of valid positions of each sequence, at least 1, as floats [batch]. */
export function validCount(mask: Node): Node {
  const count = ops.sum(ops.cast(mask, "float32"), { axes: [1] });
  return ops.maximum(count, constant(1, count.shape));
}
