/** The two ways to describe a model: layers one after the other, or a graph between symbolic tensors. */
import { OptionError, show, TorteError } from "../errors.js";
import { type LayerFunction, SymbolicTensor } from "../nn/layer.js";
import { chain } from "../nn/chain.js";
import { Network } from "../nn/network.js";
import type { Tensor } from "../tensor/tensor.js";
import { Model, type ModelOptions } from "./model.js";

export type SymbolicOutputs = SymbolicTensor | readonly SymbolicTensor[];

/** Options of {@link functional}. */
export interface FunctionalOptions<O extends SymbolicOutputs = SymbolicOutputs> extends ModelOptions {
  readonly inputs: SymbolicTensor | readonly SymbolicTensor[];
  /** One, or a list; predict then gives a list. */
  readonly outputs: O;
}

/**
 * A model of layers one after the other, beginning with an input.
 *
 * @throws ShapeError where a layer cannot take what the one before gives, with the summary up to there.
 * @example
 * import { dense, input, sequential } from "torte";
 * const model = sequential(input({ shape: [4] }), dense({ units: 8, activation: "relu" }), dense({ units: 1 }));
 * console.log(model.countParams()); // 49
 */
export function sequential(first: SymbolicTensor, ...rest: readonly (LayerFunction | ModelOptions)[]): Model {
  checkParts([first, ...rest]);
  const layers = rest.filter((part): part is LayerFunction => typeof part === "function");
  const options = rest.filter((part): part is ModelOptions => typeof part !== "function");
  if (layers.length === 0)
    throw new TorteError({
      where: "sequential",
      problem: "there are no layers",
      expected: "an input and at least one layer",
    });
  return new Model(new Network([first], [chain(first, layers)]), Object.assign({}, ...options) as ModelOptions);
}

/** As from JavaScript, where nobody checks types. */
function checkParts(parts: readonly unknown[]): void {
  const wrong = (i: number, expected: string): never => {
    const fix = "Write sequential(input({ shape }), layer, layer, …, options).";
    throw new OptionError({
      where: "sequential",
      problem: `part ${i} has the wrong type`,
      expected,
      received: show(parts[i]),
      fix,
    });
  };
  parts.forEach((part, i) => {
    if (i === 0 && !(part instanceof SymbolicTensor)) {
      throw new OptionError({
        where: "sequential",
        problem: "a model begins with an input",
        expected: "input({ shape }), then layers",
        received: show(part),
        fix: "Write sequential(input({ shape: [n] }), dense({ units: 1 })).",
      });
    }
    const isOptions = i === parts.length - 1 && typeof part === "object" && part !== null && !Array.isArray(part);
    if (i > 0 && typeof part !== "function" && (!isOptions || part instanceof SymbolicTensor)) wrong(i, "a layer");
  });
}

/**
 * A model between symbolic inputs and outputs.
 *
 * @example
 * import { add, dense, functional, input } from "torte";
 * const x = input({ shape: [64] });
 * const y = add()([dense({ units: 64, activation: "relu" })(x), x]);
 * console.log(functional({ inputs: x, outputs: y }).countParams()); // 4160
 */
export function functional<O extends SymbolicOutputs>({
  inputs,
  outputs,
  ...options
}: FunctionalOptions<O>): Model<O extends SymbolicTensor ? Tensor : readonly Tensor[]> {
  const list = (name: string, values: SymbolicOutputs): readonly SymbolicTensor[] => {
    const given: readonly unknown[] = Array.isArray(values) ? values : [values];
    if (given.length > 0 && given.every((value) => value instanceof SymbolicTensor)) return given;
    throw new OptionError({
      where: "functional",
      problem: `${name} are no symbolic tensors`,
      expected: "what input() or a layer gives, or a list of it",
      received: show(values),
    });
  };
  return new Model(
    new Network(list("inputs", inputs), list("outputs", outputs)),
    { name: "functional", ...options },
    { listed: Array.isArray(outputs) },
  );
}
