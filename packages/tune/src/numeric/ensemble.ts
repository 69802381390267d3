/** Processes of one study and of those before it, as one: each counts as much as it ranks the study's own results well. */
import type { Random } from "../random.js";
import type { KernelParameters, Posterior, Process } from "./gaussian-process.js";

interface Member {
  readonly process: Process;
  readonly weight: number;
}

/** Mean Σ w·μ and variance Σ w²·σ² of independent processes. */
export class Ensemble implements Process {
  readonly #members: readonly Member[];

  constructor(members: readonly Member[]) {
    this.#members = members.filter(({ weight }) => weight > 0);
  }

  /** Those of the member that counts most: its length scales say where the function is steep. */
  get parameters(): KernelParameters {
    const [first, ...others] = this.#members;
    if (first === undefined) throw new RangeError("an ensemble without members");
    return others.reduce((most, one) => (one.weight > most.weight ? one : most), first).process.parameters;
  }

  posterior(x: Float64Array): Posterior {
    return this.#sum(({ process }) => process.posterior(x));
  }

  gradients(x: Float64Array, byMean: Float64Array, byVariance: Float64Array): Posterior {
    const [ownMean, ownVariance] = [new Float64Array(x.length), new Float64Array(x.length)];
    byMean.fill(0);
    byVariance.fill(0);
    return this.#sum(({ process, weight }) => {
      const result = process.gradients(x, ownMean, ownVariance);
      for (let k = 0; k < x.length; k++) {
        byMean[k] = (byMean[k] as number) + weight * (ownMean[k] as number);
        byVariance[k] = (byVariance[k] as number) + weight * weight * (ownVariance[k] as number);
      }
      return result;
    });
  }

  #sum(of: (member: Member) => Posterior): Posterior {
    let [mean, variance] = [0, 0];
    for (const member of this.#members) {
      const one = of(member);
      mean += member.weight * one.mean;
      variance += member.weight * member.weight * one.variance;
    }
    return { mean, variance };
  }
}

/** A process whose last coordinate says which study a point is of, as this study sees it: there it is 0. */
export class OwnStudy implements Process {
  readonly parameters: KernelParameters;
  readonly #process: Process;

  constructor(process: Process) {
    this.#process = process;
    const { inverseSquared, ...others } = process.parameters;
    this.parameters = { ...others, inverseSquared: inverseSquared.subarray(0, -1) };
  }

  posterior(x: Float64Array): Posterior {
    return this.#process.posterior(extended(x));
  }

  gradients(x: Float64Array, byMean: Float64Array, byVariance: Float64Array): Posterior {
    const [toMean, toVariance] = [new Float64Array(x.length + 1), new Float64Array(x.length + 1)];
    const result = this.#process.gradients(extended(x), toMean, toVariance);
    byMean.set(toMean.subarray(0, -1));
    byVariance.set(toVariance.subarray(0, -1));
    return result;
  }
}

function extended(x: Float64Array): Float64Array {
  const longer = new Float64Array(x.length + 1);
  longer.set(x);
  return longer;
}

const DRAWS = 64;

/**
 * Rank-weighted ensemble: of draws from each process at the points that are known, each without the point itself, the share in which it puts
 * the fewest pairs into the wrong order. Ties go to the last, which is the study's own; one that is mostly worse than the own one nearly
 * always is, is left out, lest many of them win by luck.
 *
 * Source: M. Feurer and others, Practical transfer learning for Bayesian optimization (arXiv 1802.02219).
 */
export function rankWeights(
  leftOut: readonly (readonly Posterior[])[],
  y: Float64Array,
  random: Random,
): readonly number[] {
  const losses = leftOut.map((posteriors) =>
    Array.from({ length: DRAWS }, () =>
      misranked(
        posteriors.map(({ mean, variance }) => mean + Math.sqrt(variance) * random.normal()),
        y,
      ),
    ),
  );
  const last = losses.length - 1;
  const own = [...(losses[last] ?? [])].sort((a, b) => a - b);
  const limit = own[Math.floor(0.95 * (own.length - 1))] ?? Infinity;
  const kept = losses.map((list, member) => member === last || middle(list) <= limit);
  const weights = losses.map(() => 0);
  for (let draw = 0; draw < DRAWS; draw++) {
    let best = last;
    for (let member = last - 1; member >= 0; member--)
      if (kept[member] === true && (losses[member]?.[draw] ?? Infinity) < (losses[best]?.[draw] ?? Infinity))
        best = member;
    weights[best] = (weights[best] ?? 0) + 1 / DRAWS;
  }
  return weights;
}

/** Pairs in the wrong order: what is drawn for a point beside what is known of the others. */
function misranked(drawn: readonly number[], y: Float64Array): number {
  let count = 0;
  for (let i = 0; i < y.length; i++)
    for (let j = 0; j < y.length; j++)
      if (i !== j && (drawn[i] as number) < (y[j] as number) !== (y[i] as number) < (y[j] as number)) count++;
  return count;
}

const middle = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Infinity;
