import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { drawn } from "../../testing/arbitrary.js";
import {
  addIndex,
  addScaled,
  type Atom,
  Atoms,
  collectVariables,
  constantIndex,
  coordinatesOf,
  dependsOn,
  divideIndex,
  factorOf,
  hashIndex,
  type Index,
  indexOf,
  linearIndex,
  type LoopVariable,
  rangeOf,
  remainderIndex,
  sameIndex,
  scaleIndex,
  shiftIndex,
} from "./index-expr.js";

type Values = ReadonlyMap<LoopVariable, number>;

/** Zero is zero here, whatever its sign. */
const withoutSign = (value: number): number => value + 0;

/** The value of a simplified expression. */
function valueOf(index: Index, at: Values): number {
  return withoutSign(index.terms.reduce((sum, { atom, factor }) => sum + factor * atomValue(atom, at), index.offset));
}

function atomValue(atom: Atom, at: Values): number {
  if (atom.kind === "variable") return at.get(atom) ?? 0;
  if (atom.kind === "dynamic") throw new RangeError("nothing is looked up here");
  const divided = valueOf(atom.of, at);
  // Targets divide with truncation.
  expect(divided).toBeGreaterThanOrEqual(0);
  return Math.floor(divided / atom.by);
}

/** An expression beside what it should compute. */
interface Pair {
  readonly index: Index;
  readonly plain: (at: Values) => number;
}

/** Numbers of loops and their extents, and the steps from earlier expressions to later ones. */
const recipes = fc.record({
  extents: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 3 }),
  steps: fc.array(
    fc.record({
      op: fc.constantFrom("add", "add scaled", "scale", "shift", "divide", "remainder", "split"),
      a: fc.nat(),
      b: fc.nat(),
      n: fc.integer({ min: -7, max: 12 }),
    }),
    { minLength: 1, maxLength: 8 },
  ),
});
type Recipe = typeof recipes extends fc.Arbitrary<infer R> ? R : never;

const modulo = (a: number, by: number): number => a - by * Math.floor(a / by);

function build(atoms: Atoms, { extents, steps }: Recipe): { variables: LoopVariable[]; pairs: Pair[] } {
  const variables = extents.map((n) => atoms.variable(n));
  const pairs: Pair[] = variables.map((v) => ({ index: indexOf(v), plain: (at) => at.get(v) ?? 0 }));
  const zero: Pair = { index: constantIndex(0), plain: () => 0 };
  for (const { op, a, b, n } of steps) {
    const [x = zero, y = zero] = [pairs[a % pairs.length], pairs[b % pairs.length]];
    const by = Math.abs(n) + 1;
    switch (op) {
      case "add":
        pairs.push({ index: addIndex(x.index, y.index), plain: (at) => x.plain(at) + y.plain(at) });
        break;
      case "add scaled":
        pairs.push({ index: addScaled(x.index, y.index, n), plain: (at) => x.plain(at) + n * y.plain(at) });
        break;
      case "scale":
        pairs.push({ index: scaleIndex(x.index, n), plain: (at) => x.plain(at) * n });
        break;
      case "shift":
        pairs.push({ index: shiftIndex(x.index, n), plain: (at) => x.plain(at) + n });
        break;
      case "divide":
        pairs.push({ index: divideIndex(atoms, x.index, by), plain: (at) => Math.floor(x.plain(at) / by) });
        break;
      case "remainder":
        pairs.push({ index: remainderIndex(atoms, x.index, by), plain: (at) => modulo(x.plain(at), by) });
        break;
      // by·⌊x/by⌋ + (x mod by) is x again.
      case "split":
        pairs.push({
          index: addIndex(scaleIndex(divideIndex(atoms, x.index, by), by), remainderIndex(atoms, x.index, by)),
          plain: x.plain,
        });
        break;
    }
  }
  return { variables, pairs };
}

/** All values that the variables can take together. */
function assignments(variables: readonly LoopVariable[]): Values[] {
  return variables.reduce<Values[]>(
    (all, variable) =>
      all.flatMap((at) => Array.from({ length: variable.extent }, (_, value) => new Map(at).set(variable, value))),
    [new Map()],
  );
}

const forRandom = (check: (variables: LoopVariable[], pairs: Pair[], every: Values[], atoms: Atoms) => void): void => {
  fc.assert(
    fc.property(recipes, (recipe) => {
      const atoms = new Atoms();
      const { variables, pairs } = build(atoms, recipe);
      check(variables, pairs, assignments(variables), atoms);
    }),
    drawn(1000),
  );
};

describe("index expressions", () => {
  it("simplified, have the values of the plain ones, and divide only what is not negative", () => {
    forRandom((_, pairs, every) => {
      for (const { index, plain } of pairs)
        for (const at of every) expect(valueOf(index, at)).toBe(withoutSign(plain(at)));
    });
  });

  it("lie within their range", () => {
    forRandom((_, pairs, every) => {
      for (const { index } of pairs) {
        const { low, high } = rangeOf(index);
        for (const at of every) {
          const value = valueOf(index, at);
          expect(low <= value && value <= high).toBe(true);
        }
      }
    });
  });

  it("are told to be the same where they are equal, with the same hash", () => {
    forRandom((_, pairs, every) => {
      for (const a of pairs)
        for (const b of pairs)
          if (sameIndex(a.index, b.index)) {
            expect(hashIndex(a.index)).toBe(hashIndex(b.index));
            for (const at of every) expect(valueOf(a.index, at)).toBe(valueOf(b.index, at));
          }
    });
  });

  it("change by the factor of a variable, and not with variables that they do not depend on", () => {
    forRandom((variables, pairs, every) => {
      for (const { index } of pairs) {
        const found: LoopVariable[] = [];
        collectVariables(index, found);
        for (const variable of variables) {
          const factor = factorOf(index, variable);
          expect(dependsOn(index, variable)).toBe(found.includes(variable));
          if (!found.includes(variable)) expect(factor).toBe(0);
          if (factor === undefined) continue;
          for (const at of every) {
            const start = new Map(at).set(variable, 0);
            expect(valueOf(index, at) - valueOf(index, start)).toBe(withoutSign(factor * (at.get(variable) ?? 0)));
          }
        }
      }
    });
  });
});

const shapes = fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 4 });

describe("coordinates", () => {
  it("of a row-major position are those that it was made of", () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const atoms = new Atoms();
        const own = shape.map((n) => indexOf(atoms.variable(n)));
        const back = coordinatesOf(atoms, linearIndex(own, shape), shape);
        expect(back).toEqual(own);
      }),
      drawn(200),
    );
  });

  it("survive a reshape to any other shape and back, without quotients", () => {
    fc.assert(
      fc.property(shapes, fc.nat(), (shape, seed) => {
        const atoms = new Atoms();
        const own = shape.map((n) => indexOf(atoms.variable(n)));
        // Axes put together and flat: whatever shape has as many elements.
        const size = shape.reduce((a, b) => a * b, 1);
        const divisors = Array.from({ length: size }, (_, i) => i + 1).filter((n) => size % n === 0);
        const first = divisors[seed % divisors.length] ?? 1;
        const other = [first, size / first];
        const there = coordinatesOf(atoms, linearIndex(own, shape), other);
        const back = coordinatesOf(atoms, linearIndex(there, other), shape);
        expect(back).toEqual(own);
      }),
      drawn(200),
    );
  });
});

describe("simplification", () => {
  const atoms = new Atoms();
  const [i, j] = [indexOf(atoms.variable(4)), indexOf(atoms.variable(6))];
  const row = addIndex(scaleIndex(i, 6), j);

  it("leaves no quotient where ranges tell", () => {
    expect(divideIndex(atoms, row, 6)).toEqual(i);
    expect(remainderIndex(atoms, row, 6)).toEqual(j);
    expect(divideIndex(atoms, row, 24)).toEqual(constantIndex(0));
    expect(divideIndex(atoms, shiftIndex(row, 48), 24)).toEqual(constantIndex(2));
    expect(indexOf(atoms.variable(1))).toEqual(constantIndex(0));
  });

  it("divides once for quotients of quotients, and keeps equal ones identical", () => {
    const twice = divideIndex(atoms, divideIndex(atoms, j, 2), 2);
    expect(twice).toEqual(divideIndex(atoms, j, 4));
    expect(divideIndex(atoms, j, 4).terms[0]?.atom).toBe(twice.terms[0]?.atom);
  });

  it("knows that a remainder is below its divisor", () => {
    expect(rangeOf(remainderIndex(atoms, row, 5))).toEqual({ low: 0, high: 4 });
    expect(rangeOf(shiftIndex(scaleIndex(remainderIndex(atoms, row, 5), 2), 1))).toEqual({ low: 1, high: 9 });
  });

  it("rounds down where an axis runs backwards", () => {
    const backwards = shiftIndex(scaleIndex(j, -1), 5);
    const at = (value: number): Values => new Map([[variableOf(j), value]]);
    const halves = [0, 1, 2, 3, 4, 5].map((value) => valueOf(divideIndex(atoms, backwards, 2), at(value)));
    expect(halves).toEqual([2, 2, 1, 1, 0, 0]);
  });
});

function variableOf(index: Index): LoopVariable {
  const atom = index.terms[0]?.atom;
  if (atom?.kind !== "variable") throw new RangeError("no variable");
  return atom;
}
