import { booleanOption, checkOptions, positiveInteger, ShapeError } from "../../errors.js";
import { iota } from "../../graph/make.js";
import { type ConstraintOption, readConstraint } from "../constraints.js";
import * as ops from "../../ops/index.js";
import { type InitializerOption, readInitializer } from "../initializers.js";
import { COMMON, type CommonOptions, inputAt, type LayerFunction, layerFunction } from "../layer.js";
import { formatShape } from "../../tensor/shape.js";
import { masked } from "../masks.js";
import { readRegularizer, type RegularizerOption } from "../regularizers.js";

/** Options of {@link embedding}. */
export interface EmbeddingOptions extends CommonOptions {
  /** Number of tokens, at least 1; tokens are 0 … inputDim − 1. */
  readonly inputDim: number;
  /** Length of the vectors, at least 1. */
  readonly outputDim: number;
  /** Token 0 is padding: it maps to zeros, is never trained, and is masked. Default false. */
  readonly maskZero?: boolean;
  /** Default uniform(−0.05, 0.05). */
  readonly embeddingsInitializer?: InitializerOption;
  /** Default none. */
  readonly embeddingsRegularizer?: RegularizerOption;
  /** What every update of the table ends with. Default none. */
  readonly embeddingsConstraint?: ConstraintOption;
}

/**
 * A table of vectors, looked up by token.
 *
 * y[l] = embeddings[x[l]]
 *
 * Input (…) of int32, output (…, outputDim); embeddings (inputDim, outputDim). With maskZero the output carries a mask.
 *
 * @throws OptionError for options out of range; ShapeError for an input that is not of integers.
 * @example
 * import { embedding, input } from "torte";
 * const y = embedding({ inputDim: 21, outputDim: 16, maskZero: true })(input({ shape: [200], dtype: "int32" }));
 * console.log(y.shape); // [null, 200, 16]
 */
export function embedding(options: EmbeddingOptions): LayerFunction {
  checkOptions("embedding", options, [
    ...COMMON,
    "inputDim",
    "outputDim",
    "maskZero",
    "embeddingsInitializer",
    "embeddingsRegularizer",
    "embeddingsConstraint",
  ]);
  const inputDim = positiveInteger("embedding", "inputDim", options.inputDim);
  const outputDim = positiveInteger("embedding", "outputDim", options.outputDim);
  const maskZero = booleanOption("embedding", "maskZero", options.maskZero ?? false);
  const initializer = readInitializer("embedding", "embeddingsInitializer", options.embeddingsInitializer ?? "uniform");
  const regularizer = readRegularizer("embedding", "embeddingsRegularizer", options.embeddingsRegularizer);
  const constraint = readConstraint("embedding", "embeddingsConstraint", options.embeddingsConstraint);
  return layerFunction({
    kind: "embedding",
    options,
    integers: "accept",
    call: (inputs, scope) => {
      const { value, mask } = inputAt(inputs);
      if (value.dtype !== "int32") {
        const fix = 'Declare the input with dtype: "int32".';
        throw new ShapeError({
          where: scope.where,
          problem: "tokens are integers",
          expected: "int32",
          received: value.dtype,
          fix,
        });
      }
      const table = scope.weight("embeddings", [inputDim, outputDim], { initializer, regularizer, constraint });
      if (maskZero && value.shape.length !== 2) {
        throw new ShapeError({
          where: scope.where,
          problem: "maskZero is for sequences",
          expected: "(batch, length)",
          received: formatShape([null, ...value.shape.slice(1)]),
        });
      }
      if (!maskZero) return masked(ops.gather(table, value), mask);
      // The row of the padding is zero whatever the table holds, so nothing reaches it and nothing comes back.
      const kept = ops.where(ops.less(0, iota([inputDim, 1], 0)), table, 0);
      const present = ops.notEqual(value, 0);
      if (mask === undefined) return { value: ops.gather(kept, value), mask: present };
      return masked(ops.gather(kept, value), ops.logicalAnd(mask, present));
    },
  });
}
