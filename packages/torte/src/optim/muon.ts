/** Muon: momentum whose matrices are made orthogonal. */
import { booleanOption, numberIn, positiveInteger } from "../errors.js";
import type { Node } from "../graph/node.js";
import * as ops from "../ops/index.js";
import { lastOf } from "../tensor/shape.js";
import { adamRule } from "./adam.js";
import {
  beta,
  type CommonOptimizerOptions,
  flush,
  fraction,
  type Optimizer,
  optimizer,
  positive,
  slotOf,
  type WeightFacts,
} from "./optimizer.js";

const { add, div, mul, sub } = ops;

/** Options of {@link muon}. */
export interface MuonOptions extends CommonOptimizerOptions {
  /** Weight of the previous direction, 0 up to below 1. Default 0.95. */
  readonly momentum?: number;
  /** Looks ahead along the momentum. Default true. */
  readonly nesterov?: boolean;
  /** Rounds of the Newton–Schulz iteration, at least 1. Default 5. */
  readonly nsSteps?: number;
  /** Coefficients of x, (xxᵀ)x and (xxᵀ)²x in a round. Default 3.4445. */
  readonly muonA?: number;
  /** Default −4.775. */
  readonly muonB?: number;
  /** Default 2.0315. */
  readonly muonC?: number;
  /** Root mean square of an update before the rate, above 0; null leaves it as it comes. Default 0.2. */
  readonly rmsRate?: number | null;
  /** Words; weights whose path contains one are updated as by AdamW. Default none. */
  readonly excludeLayers?: readonly string[];
  /** Embeddings are updated as by AdamW. Default true. */
  readonly excludeEmbeddings?: boolean;
  /** β₁ of AdamW. Default 0.9. */
  readonly adamBeta1?: number;
  /** β₂ of AdamW. Default 0.999. */
  readonly adamBeta2?: number;
  /** ε of AdamW. Default 1e-7. */
  readonly epsilon?: number;
  /** λ of what AdamW updates, at least 0. Default 0.004. */
  readonly adamWeightDecay?: number;
  /** Rate of AdamW as a multiple of the rate, at least 0. Default 1. */
  readonly adamLrRatio?: number;
}

const OWN = [
  "momentum",
  "nesterov",
  "nsSteps",
  "muonA",
  "muonB",
  "muonC",
  "rmsRate",
  "excludeLayers",
  "excludeEmbeddings",
  "adamBeta1",
  "adamBeta2",
  "epsilon",
  "adamWeightDecay",
  "adamLrRatio",
] as const;

/**
 * m ← momentum·m + g; the matrix g + momentum·m (without Nesterov m) is scaled to norm 1 and made nearly orthogonal by rounds of
 * x ← a·x + (b·xxᵀ + c·(xxᵀ)²)x; w ← w − rate·rmsRate·√max(rows, columns)·x. Default rate 0.001, λ 0.004. A kernel of a
 * convolution (…k, C, F) counts as a matrix (k·C, F), as in the original; Keras leaves it to AdamW. Vectors, embeddings and the last
 * dense layer are updated as by AdamW. Jordan et al. 2024, Liu et al. 2025.
 *
 * @throws OptionError for options out of range.
 * @example
 * import { muon } from "torte";
 * console.log(muon({ learningRate: 0.002 }).name); // muon
 */
export function muon(options: MuonOptions = {}): Optimizer {
  const where = "muon";
  return optimizer(where, options, OWN, { learningRate: 1e-3, weightDecay: 0.004 }, () => {
    const momentum = fraction(where, "momentum", options.momentum ?? 0.95);
    const nesterov = booleanOption(where, "nesterov", options.nesterov ?? true);
    const rounds = positiveInteger(where, "nsSteps", options.nsSteps ?? 5);
    const [a, b, c] = (["muonA", "muonB", "muonC"] as const).map((name, i) =>
      numberIn(where, name, options[name] ?? [3.4445, -4.775, 2.0315][i]),
    ) as [number, number, number];
    const size = options.rmsRate === null ? undefined : positive(where, "rmsRate", options.rmsRate ?? 0.2);
    const words = options.excludeLayers ?? [];
    const embeddings = booleanOption(where, "excludeEmbeddings", options.excludeEmbeddings ?? true);
    const ratio = numberIn(where, "adamLrRatio", options.adamLrRatio ?? 1, { min: 0 });
    const adamDecay = numberIn(where, "adamWeightDecay", options.adamWeightDecay ?? 0.004, { min: 0 });
    const decay = numberIn(where, "weightDecay", options.weightDecay ?? 0.004, { min: 0 });
    const adam = adamRule(
      {
        beta1: beta(where, "adamBeta1", options.adamBeta1 ?? 0.9),
        beta2: beta(where, "adamBeta2", options.adamBeta2 ?? 0.999),
        epsilon: positive(where, "epsilon", options.epsilon ?? 1e-7),
      },
      false,
    );
    const isMatrix = ({ path, shape, layer, last }: WeightFacts): boolean =>
      shape.length >= 2 &&
      !(embeddings && layer === "embedding") &&
      !(last && layer === "dense") &&
      !words.some((word) => path.includes(word));
    return {
      slots: (facts) => (isMatrix(facts) ? { m: { shape: facts.shape, start: 0 } } : adam.slots(facts)),
      decayOf: (facts) => (isMatrix(facts) ? decay : adamDecay),
      update: (given) => {
        const { weight, gradient, slots, learningRate, facts } = given;
        if (!isMatrix(facts)) return adam.update({ ...given, learningRate: mul(learningRate, ratio) });
        const m = flush(add(mul(slotOf(slots, "m"), momentum), gradient));
        const direction = nesterov ? add(gradient, mul(m, momentum)) : m;
        const matrix = ops.reshape(direction, [-1, lastOf(weight.shape)]);
        const factor = size === undefined ? 1 : size * Math.sqrt(Math.max(...matrix.shape));
        const update = ops.reshape(orthogonal(matrix, rounds, [a, b, c]), weight.shape);
        return { weight: sub(weight, mul(update, mul(learningRate, factor))), slots: { m } };
      },
    };
  });
}

/** Newton–Schulz: singular values of the matrix go to about 1; the shorter side is the one that products run over. */
function orthogonal(matrix: Node, rounds: number, [a, b, c]: readonly [number, number, number]): Node {
  const [rows = 1, columns = 1] = matrix.shape;
  const wide = rows <= columns;
  const norm = ops.sqrt(ops.sum(ops.square(matrix)));
  let x = div(wide ? matrix : ops.transpose(matrix), add(norm, 1e-7));
  for (let round = 0; round < rounds; round++) {
    const squared = ops.einsum("ik,jk->ij", x, x);
    const polynomial = add(mul(squared, b), mul(ops.einsum("ij,jk->ik", squared, squared), c));
    x = add(mul(x, a), ops.einsum("ij,jk->ik", polynomial, x));
  }
  return wide ? x : ops.transpose(x);
}
