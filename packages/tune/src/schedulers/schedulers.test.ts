import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Random } from "../random.js";
import { readScheduler, SCHEDULER_NAMES } from "./by-name.js";
import { asha, brackets, hyperband, rungs, successiveHalving } from "./halving.js";
import type { Schedule, ScheduledTrial, Scheduler, Task } from "./scheduler.js";
import { chanceBelow, curveFitting, fitPowerLaw, medianStopping } from "./stopping.js";

/** Runs a study on curves that are known: every trial's loss after each epoch. */
class Simulation {
  readonly trials: (ScheduledTrial & { losses: number[]; curve: number[] })[] = [];
  readonly tasks: string[] = [];
  epochs = 0;

  constructor(
    readonly scheduler: Scheduler,
    readonly curves: readonly (readonly number[])[],
    readonly full: number,
    readonly limit = Infinity,
  ) {}

  get schedule(): Schedule {
    const open = this.trials.length < this.curves.length && this.epochs < this.limit;
    return { trials: this.trials, epochs: this.full, open, seed: 0 };
  }

  /** All tasks one after the other, or so many at a time, which end in a random order. */
  run(workers = 1, random = new Random(0, "order")): this {
    const running: { number: number; until: number }[] = [];
    for (;;) {
      let next: Task | "wait" | "done" = "wait";
      while (running.length < workers && (next = this.scheduler.next(this.schedule)) !== "wait" && next !== "done") {
        const number = next.kind === "start" ? this.trials.length : next.trial;
        const before = this.trials[number] ?? { number, losses: [], curve: [] };
        expect(before.losses.length).toBeLessThan(next.until);
        expect((before as Partial<ScheduledTrial>).state).not.toBe("running");
        this.trials[number] = { ...before, state: "running" };
        this.tasks.push(`${next.kind === "start" ? "new" : number} to ${next.until}`);
        running.push({ number, until: next.until });
      }
      if (running.length === 0) return this;
      const [task] = running.splice(random.below(running.length), 1);
      if (task !== undefined) this.#train(task.number, task.until);
    }
  }

  #train(number: number, until: number): void {
    const trial = this.trials[number]!;
    while (trial.losses.length < until) {
      const loss = this.curves[number]![trial.losses.length]!;
      trial.curve.push(loss);
      trial.losses.push(Math.min(loss, trial.losses.at(-1) ?? Infinity));
      this.epochs++;
      if (this.scheduler.stops?.(trial, this.schedule) === true) {
        this.trials[number] = { ...trial, state: "ended" };
        return;
      }
    }
    this.trials[number] = { ...trial, state: until === this.full ? "ended" : "paused" };
  }

  reached(epochs: number): number {
    return this.trials.filter(({ losses }) => losses.length >= epochs).length;
  }
}

/** Curves that fall as power laws, to a level of their own, with a little noise. */
function curvesOf(count: number, epochs: number, seed: number): number[][] {
  const random = new Random(seed, "curves");
  return Array.from({ length: count }, () => {
    const [a, b, c] = [random.uniform(), 1 + random.uniform(), 0.3 + random.uniform()];
    return Array.from({ length: epochs }, (_, t) => a + b * (t + 1) ** -c + 0.01 * random.normal());
  });
}

describe("Hyperband", () => {
  it("has the brackets of algorithm 1 for 81 epochs", () => {
    expect(hyperband().plan?.(81)).toBe(
      [
        "trials × epochs",
        "bracket 4   81 × 1   27 × 3    9 × 9   3 × 27   1 × 81",
        "bracket 3   34 × 3   11 × 9   3 × 27   1 × 81",
        "bracket 2   15 × 9   5 × 27   1 × 81",
        "bracket 1   8 × 27   2 × 81",
        "bracket 0   5 × 81",
      ].join("\n"),
    );
  });

  it("runs them, whatever the number of workers", () => {
    for (const workers of [1, 4]) {
      const simulation = new Simulation(hyperband(), curvesOf(143, 81, 1), 81).run(workers);
      expect(simulation.trials).toHaveLength(81 + 34 + 15 + 8 + 5);
      expect([1, 3, 9, 27, 81].map((epochs) => simulation.reached(epochs))).toEqual([
        143,
        27 + 62,
        9 + 11 + 28,
        3 + 3 + 5 + 13,
        1 + 1 + 1 + 2 + 5,
      ]);
    }
  });

  it("has brackets that shrink, for any number of epochs", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), fc.constantFrom(2, 3, 4), (epochs, eta) => {
        for (const bracket of brackets(epochs, eta)) {
          expect(bracket.at(-1)?.epochs).toBe(epochs);
          bracket.slice(1).forEach((rung, i) => {
            expect(rung.trials).toBeLessThan(bracket[i]!.trials);
            expect(rung.trials).toBeGreaterThan(0);
            expect(rung.epochs).toBeGreaterThanOrEqual(bracket[i]!.epochs);
          });
        }
      }),
    );
  });
});

describe("successive halving", () => {
  it("gives the best third of 27 trials three times as many epochs, and so on", () => {
    const curves = curvesOf(27, 27, 2);
    const simulation = new Simulation(successiveHalving(), curves, 27).run(3);
    expect([1, 3, 9, 27].map((epochs) => simulation.reached(epochs))).toEqual([27, 9, 3, 1]);
    const first = [...simulation.trials].sort((a, b) => a.losses[0]! - b.losses[0]!);
    expect(first.slice(0, 9).every(({ losses }) => losses.length >= 3)).toBe(true);
  });
  it("makes smaller rungs where the budget has ended early", () => {
    const simulation = new Simulation(successiveHalving(), curvesOf(12, 27, 3), 27).run();
    expect([1, 3, 9, 27].map((epochs) => simulation.reached(epochs))).toEqual([12, 4, 1, 1]);
  });
});

describe("ASHA", () => {
  it("has rungs from the least to the most", () => {
    expect(rungs(27, { eta: 3, least: 1 })).toEqual([1, 3, 9, 27]);
    expect(rungs(10, { eta: 3, least: 1 })).toEqual([1, 3, 10]);
    expect(rungs(1, { eta: 3, least: 1 })).toEqual([1]);
  });
  it("promotes one of three, and the best", () => {
    const simulation = new Simulation(asha(), curvesOf(81, 27, 4), 27).run(4);
    const reached = [1, 3, 9, 27].map((epochs) => simulation.reached(epochs));
    // Promoted early, with fewer to compare with, some are more than a third.
    [81, 27, 9, 3].forEach((least, i) => {
      expect(reached[i]).toBeGreaterThanOrEqual(least);
      expect(reached[i]).toBeLessThanOrEqual(least * 1.5 + 1);
    });
    const best = simulation.trials.filter(({ losses }) => losses.length === 27).map(({ losses }) => losses.at(-1)!);
    const all = simulation.curves.map((curve) => Math.min(...curve)).sort((a, b) => a - b);
    expect(Math.min(...best)).toBeLessThanOrEqual(all[4]!);
    expect(simulation.tasks.filter((task) => task.startsWith("new"))).toHaveLength(81);
  });
  it("passes over trials that have failed", () => {
    const curves = curvesOf(9, 9, 5).map((curve, i) => (i < 5 ? curve.map(() => NaN) : curve));
    const { trials } = new Simulation(asha(), curves, 9).run();
    expect(trials.slice(0, 5).every(({ losses }) => losses.length === 1)).toBe(true);
    expect(trials.slice(5).some(({ losses }) => losses.length === 9)).toBe(true);
  });
});

describe("all schedulers", () => {
  it("end, never train a trial twice at once, and keep to the budget", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...SCHEDULER_NAMES),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 200 }),
        (name, count, epochs, workers, limit) => {
          const simulation = new Simulation(readScheduler(name), curvesOf(count, epochs, 6), epochs, limit);
          simulation.run(workers, new Random(count, "ends"));
          expect(simulation.trials.length).toBeGreaterThan(0);
          expect(simulation.trials.every(({ state }) => state !== "running")).toBe(true);
          expect(simulation.reached(epochs)).toBeGreaterThanOrEqual(name === "asha" ? 0 : 1);
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe("median stopping", () => {
  it("stops a trial that is worse than the middle of the others, and no other one", () => {
    const level = (loss: number): number[] => Array.from({ length: 6 }, () => loss);
    const curves = [1, 2, 3, 4, 5, 3.5, 2.5].map(level);
    const { trials } = new Simulation(medianStopping({ after: 2 }), curves, 6).run();
    expect(trials.map(({ losses }) => losses.length)).toEqual([6, 6, 6, 6, 6, 2, 6]);
  });
});

describe("curves", () => {
  it("are power laws that are found again", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 2, noNaN: true }),
        fc.double({ min: 0.5, max: 2, noNaN: true }),
        fc.double({ min: 0.2, max: 2, noNaN: true }),
        (a, b, c) => {
          const law = fitPowerLaw(Array.from({ length: 8 }, (_, t) => a + b * (t + 1) ** -c));
          const at = (t: number): number => law.a + law.b * t ** -law.c;
          expect(Math.abs(at(40) - (a + b * 40 ** -c))).toBeLessThan(0.03 * b);
        },
      ),
    );
  });
  it("that level off above the best one are stopped, others not", () => {
    const curve = (a: number): number[] =>
      Array.from({ length: 30 }, (_, t) => a + (t + 1) ** -1 + 0.002 * Math.sin(7 * t));
    const { trials } = new Simulation(curveFitting(), [0.2, 0.5, 0.1, 0.21].map(curve), 30).run();
    expect(trials[1]?.losses.length).toBeLessThan(15);
    expect(trials[0]?.losses.length).toBe(30);
    expect(trials[2]?.losses.length).toBe(30);
  });
  it("have a chance between 0 and 1 that falls with the limit", () => {
    const losses = Array.from({ length: 6 }, (_, t) => 0.4 + (t + 1) ** -0.5 + 0.02 * Math.cos(5 * t));
    const chances = [0.2, 0.45, 0.55, 0.65, 0.9].map((limit) => chanceBelow(losses, 50, limit, new Random(1, "x")));
    expect([...chances].sort((a, b) => a - b)).toEqual(chances);
    expect(chances[0]).toBeLessThan(0.1);
    expect(chances.at(-1)).toBe(1);
  });
});
