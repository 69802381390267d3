/** Functions with a known least value, on which searchers are compared. */
import { type Earlier, type Hyper, Search, type SearcherName, space } from "../index.js";

export interface TestFunction {
  readonly name: string;
  readonly least: number;
  readonly define: (h: Hyper) => number;
}

const coordinates = (h: Hyper, count: number, min: number, max: number): readonly number[] =>
  Array.from({ length: count }, (_, i) => h.float(`x${i}`, min, max));

function branin(x: number, y: number): number {
  const bent = y - (5.1 / (4 * Math.PI ** 2)) * x * x + (5 / Math.PI) * x - 6;
  return bent * bent + 10 * (1 - 1 / (8 * Math.PI)) * Math.cos(x) + 10;
}

const HARTMANN = {
  weights: [1, 1.2, 3, 3.2],
  a: [
    [10, 3, 17, 3.5, 1.7, 8],
    [0.05, 10, 17, 0.1, 8, 14],
    [3, 3.5, 1.7, 10, 17, 8],
    [17, 8, 0.05, 10, 0.1, 14],
  ],
  p: [
    [1312, 1696, 5569, 124, 8283, 5886],
    [2329, 4135, 8307, 3736, 1004, 9991],
    [2348, 1451, 3522, 2883, 3047, 6650],
    [4047, 8828, 8732, 5743, 1091, 381],
  ],
};

const hartmann6 = (x: readonly number[]): number =>
  -HARTMANN.weights.reduce((sum, weight, i) => {
    const distance = x.reduce(
      (total, at, k) => total + (HARTMANN.a[i]?.[k] ?? 0) * (at - (HARTMANN.p[i]?.[k] ?? 0) * 1e-4) ** 2,
      0,
    );
    return sum + weight * Math.exp(-distance);
  }, 0);

function ackley(x: readonly number[]): number {
  const mean = (f: (at: number) => number): number => x.reduce((sum, at) => sum + f(at), 0) / x.length;
  const [square, wave] = [mean((at) => at * at), mean((at) => Math.cos(2 * Math.PI * at))];
  return -20 * Math.exp(-0.2 * Math.sqrt(square)) - Math.exp(wave) + 20 + Math.E;
}

const rosenbrock = (x: readonly number[]): number =>
  x.slice(1).reduce((sum, at, i) => sum + 100 * (at - (x[i] ?? 0) ** 2) ** 2 + (1 - (x[i] ?? 0)) ** 2, 0);

/** A valley in the logarithms, with whole numbers and categories, as of a small network. `moved`: the same network with other data. */
function mixed(h: Hyper, moved = 0): number {
  const rate = h.float("rate", 1e-5, 1, { log: true });
  const units = h.int("units", 8, 512, { log: true });
  const kind = h.categorical("kind", ["relu", "tanh", "swish", "linear"]);
  const norm = h.boolean("norm");
  const depth = h.int("depth", 1, 6);
  const best = { relu: -2.5, tanh: -3, swish: -2, linear: -1 }[kind] + (norm ? 0.7 : 0);
  const offset = { relu: 0.05, tanh: 0.1, swish: 0, linear: 0.4 }[kind] + (norm ? 0 : 0.1);
  return (
    offset +
    0.3 * (1 + moved) * (Math.log10(rate) - best - moved) ** 2 +
    0.1 * (Math.log2(units) - 7 + moved) ** 2 +
    0.08 * (depth - (norm ? 4 : 2)) ** 2
  );
}

/** Two kinds of optimizer and a regularizer, each with hyperparameters of its own. */
function conditional(h: Hyper): number {
  const optimizer = h.categorical("optimizer", ["sgd", "adam"]);
  const units = h.int("units", 8, 512, { log: true });
  let loss = 0.15 * (Math.log2(units) - 6) ** 2;
  if (optimizer === "sgd") {
    const [rate, momentum] = [h.float("sgdRate", 1e-4, 1, { log: true }), h.float("momentum", 0, 0.99)];
    loss += 0.1 + 0.3 * (Math.log10(rate * (1 / (1 - momentum))) + 0.5) ** 2 + (momentum - 0.8) ** 2;
  } else {
    const [rate, beta] = [h.float("adamRate", 1e-5, 1e-1, { log: true }), h.float("beta", 0.8, 0.999)];
    loss += 0.4 * (Math.log10(rate) + 3) ** 2 + 10 * (beta - 0.92) ** 2;
  }
  if (h.boolean("dropout")) loss += (h.float("dropRate", 0, 0.6) - 0.25) ** 2;
  else loss += 0.06;
  return loss;
}

export const FUNCTIONS: readonly TestFunction[] = [
  {
    name: "Branin",
    least: 0.39788735772973816,
    define: (h) => branin(h.float("x", -5, 10), h.float("y", 0, 15)),
  },
  { name: "Hartmann6", least: -3.32236801141551, define: (h) => hartmann6(coordinates(h, 6, 0, 1)) },
  { name: "Ackley5", least: 0, define: (h) => ackley(coordinates(h, 5, -32.768, 32.768)) },
  { name: "Rosenbrock4", least: 0, define: (h) => rosenbrock(coordinates(h, 4, -5, 10)) },
  { name: "mixed", least: 0, define: (h) => mixed(h) },
  { name: "conditional", least: 0, define: conditional },
];

/** How far from the least value the best of the trials so far is, after each trial. */
export function regrets(
  { define, least }: TestFunction,
  searcher: SearcherName,
  trials: number,
  seed: number,
  earlier: readonly Earlier[] = [],
): number[] {
  const search = new Search(space(define), { searcher, seed, earlier });
  let best = Infinity;
  return Array.from({ length: trials }, () => {
    const trial = search.ask();
    if (trial !== undefined) {
      const value = trial.build();
      search.tell(trial.number, value);
      best = Math.min(best, value - least);
    }
    return best;
  });
}

/** Functions that are moved, scaled and tilted: the same tasks with other data. */
export const RELATED: readonly { readonly target: TestFunction; readonly earlier: TestFunction }[] = [
  {
    target: FUNCTIONS[4] as TestFunction,
    earlier: { name: "mixed, moved", least: 0, define: (h) => 3 + 2 * mixed(h, 0.3) },
  },
  {
    target: FUNCTIONS[1] as TestFunction,
    earlier: {
      name: "Hartmann6, moved",
      least: 0,
      define: (h) => {
        const x = coordinates(h, 6, 0, 1);
        return 0.8 * hartmann6(x.map((at, i) => at + 0.03 * (i % 2 === 0 ? 1 : -1))) + 0.1 * (x[0] ?? 0);
      },
    },
  },
  {
    target: FUNCTIONS[3] as TestFunction,
    earlier: {
      name: "Rosenbrock4, moved",
      least: 0,
      define: (h) => 5 + 0.5 * rosenbrock(coordinates(h, 4, -5, 10).map((at) => at + 0.1)),
    },
  },
];

/** Trials as what an earlier study has found. */
export function earlierOf({ name, define }: TestFunction, trials: number, seed: number): Earlier {
  const search = new Search(space(define), { seed });
  for (let i = 0; i < trials; i++) {
    const trial = search.ask();
    if (trial !== undefined) search.tell(trial.number, trial.build());
  }
  return { name, trials: search.trials.map(({ values, results }) => ({ values, loss: results?.[0] ?? NaN })) };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return ((sorted[Math.ceil(half) - 1] ?? NaN) + (sorted[Math.floor(half)] ?? NaN)) / 2;
}
