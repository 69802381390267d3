/** Penalties on weights, added to the loss. */
import { numberIn, OptionError } from "../errors.js";
import type { Node } from "../graph/node.js";
import { abs, add, equal, mul, sqrt, sum, where } from "../ops/index.js";

/** A penalty of a weight: a scalar node. */
export type Regularizer = (weight: Node) => Node;
export type RegularizerOption = Regularizer | "l1" | "l2" | "l1l2";

const strength = (where_: string, value: number): number => numberIn(where_, "strength", value, { min: 0 });

/** λ·Σ|w|; λ = 0.01 by default, as in Keras. */
export function l1(strength_ = 0.01): Regularizer {
  const lambda = strength("l1", strength_);
  return (weight) => mul(sum(abs(weight)), lambda);
}

/** λ·Σw²; λ = 0.01 by default, as in Keras. */
export function l2(strength_ = 0.01): Regularizer {
  const lambda = strength("l2", strength_);
  return (weight) => mul(sum(mul(weight, weight)), lambda);
}

/** l1·Σ|w| + l2·Σw². */
export function l1l2(options: { l1?: number; l2?: number } = {}): Regularizer {
  const [first, second] = [l1(options.l1 ?? 0.01), l2(options.l2 ?? 0.01)];
  return (weight) => add(first(weight), second(weight));
}

/** λ·√Σw², with gradient 0 where all weights are 0. */
export function l2Norm(strength_ = 0.01): Regularizer {
  const lambda = strength("l2Norm", strength_);
  return (weight) => {
    const squares = sum(mul(weight, weight));
    const none = equal(squares, 0);
    return mul(where(none, 0, sqrt(where(none, 1, squares))), lambda);
  };
}

export function readRegularizer(
  layer: string,
  name: string,
  option: RegularizerOption | undefined,
): Regularizer | undefined {
  if (option === undefined || typeof option === "function") return option;
  switch (option) {
    case "l1":
      return l1();
    case "l2":
      return l2();
    case "l1l2":
      return l1l2();
    default:
      throw new OptionError({
        where: layer,
        problem: `${name} is unknown`,
        expected: 'a function or one of "l1", "l2", "l1l2"',
        received: JSON.stringify(option),
      });
  }
}
