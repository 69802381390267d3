import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  booleanOption,
  checkOptions,
  DataError,
  numberIn,
  oneOf,
  OptionError,
  positiveInteger,
  seedOption,
  ShapeError,
  show,
  TorteError,
  wholeNumber,
} from "./errors.js";

function messageOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(OptionError);
    return (error as Error).message;
  }
  throw new Error("nothing was thrown");
}

describe("TorteError", () => {
  it("reads as one sentence per fact and keeps the facts", () => {
    const facts = {
      where: "dense_1",
      problem: "input has no feature axis",
      expected: "rank 2",
      received: "(3,)",
      fix: "Add flatten().",
    };
    const error = new ShapeError(facts);
    expect(error.message).toBe("dense_1: input has no feature axis: expected rank 2, received (3,). Add flatten().");
    expect(error.facts).toEqual(facts);
    expect(error.name).toBe("ShapeError");
    expect(error).toBeInstanceOf(TorteError);
  });

  it("leaves out what is not known", () => {
    expect(new TorteError({ where: "fit", problem: "no data" }).message).toBe("fit: no data.");
    expect(new TorteError({ where: "fit", problem: "no data", received: "0 rows" }).message).toBe(
      "fit: no data: received 0 rows.",
    );
  });
});

describe("option checks", () => {
  it("name an unknown option, the known ones and the nearest", () => {
    expect(messageOf(() => checkOptions("dense", { unit: 3 }, ["units", "activation"]))).toBe(
      'dense: unknown option "unit": expected one of units, activation. Did you mean "units"?',
    );
    expect(messageOf(() => checkOptions("conv1d", { kernel_size: 3 }, ["filters", "kernelSize"]))).toBe(
      'conv1d: unknown option "kernel_size": expected one of filters, kernelSize. Did you mean "kernelSize"?',
    );
    expect(messageOf(() => checkOptions("dropout", { p: 0.5 }, ["rate", "seed"]))).toBe(
      'dropout: unknown option "p": expected one of rate, seed. Did you mean "rate"?',
    );
    expect(messageOf(() => checkOptions("dropout", { q: 0.5 }, ["rate", "seed"]))).toBe(
      'dropout: unknown option "q": expected one of rate, seed.',
    );
    expect(messageOf(() => checkOptions("flatten", { p: 1 }, []))).toBe(
      'flatten: unknown option "p": expected no options.',
    );
  });

  it("refuse what is no object", () => {
    expect(messageOf(() => checkOptions("shuffle", 1000, ["seed", "bufferSize"]))).toBe(
      "shuffle: options are no object: expected an object with seed, bufferSize, received 1000.",
    );
    for (const value of [null, undefined, [1], "a"]) expect(() => checkOptions("f", value, ["a"])).toThrow(OptionError);
    checkOptions("f", { a: 1 }, ["a"]);
  });

  it("name option, range and value", () => {
    expect(messageOf(() => numberIn("dropout", "rate", 7, { min: 0, below: 1 }))).toBe(
      "dropout: rate is out of range: expected a number at least 0 and below 1, received 7.",
    );
    expect(messageOf(() => numberIn("adam", "epsilon", NaN))).toBe(
      "adam: epsilon is out of range: expected a finite number, received NaN.",
    );
    expect(messageOf(() => positiveInteger("dense", "units", 2.5))).toBe(
      "dense: units is out of range: expected a whole number of at least 1, received 2.5.",
    );
    expect(messageOf(() => wholeNumber("fit", "epochs", "3"))).toBe(
      'fit: epochs is out of range: expected a whole number of at least 0, received "3".',
    );
    expect(messageOf(() => seedOption("fit", -1))).toBe(
      "fit: seed is out of range: expected a whole number from 0 to 4294967295, received -1.",
    );
    expect(messageOf(() => oneOf("conv1d", "padding", "sames", ["valid", "same"]))).toBe(
      'conv1d: padding is unknown: expected one of "valid", "same", received "sames". Did you mean "same"?',
    );
    expect(messageOf(() => booleanOption("dense", "useBias", 1))).toBe(
      "dense: useBias has the wrong type: expected true or false, received 1.",
    );
  });

  it("accept exactly what lies within the limits", () => {
    fc.assert(
      fc.property(
        fc.float({ noNaN: true, noDefaultInfinity: true }),
        fc.float({ noNaN: true, noDefaultInfinity: true }),
        (value, limit) => {
          const passes = (check: () => number): boolean => {
            try {
              return check() === value;
            } catch {
              return false;
            }
          };
          expect(passes(() => numberIn("f", "x", value, { min: limit }))).toBe(value >= limit);
          expect(passes(() => numberIn("f", "x", value, { above: limit }))).toBe(value > limit);
          expect(passes(() => numberIn("f", "x", value, { max: limit }))).toBe(value <= limit);
          expect(passes(() => numberIn("f", "x", value, { below: limit }))).toBe(value < limit);
          expect(passes(() => positiveInteger("f", "x", value))).toBe(Number.isSafeInteger(value) && value >= 1);
        },
      ),
    );
  });
});

describe("numbers in 32 bits", () => {
  it.each<[number, Parameters<typeof numberIn>[3], string]>([
    [1e300, {}, "expected a finite number, received 1e+300 (Infinity in 32 bits)"],
    [-3.5e38, {}, "expected a finite number, received -3.5e+38 (-Infinity in 32 bits)"],
    [1e-50, { above: 0 }, "expected a number above 0, received 1e-50 (0 in 32 bits)"],
    [
      1 - 1e-12,
      { min: 0, below: 1 },
      "expected a number at least 0 and below 1, received 0.999999999999 (1 in 32 bits)",
    ],
    [NaN, {}, "expected a finite number, received NaN"],
    [Infinity, {}, "expected a finite number, received Infinity"],
  ])("stay within the limits: %d, %j", (value, interval, message) => {
    expect(messageOf(() => numberIn("adam", "epsilon", value, interval))).toBe(
      `adam: epsilon is out of range: ${message}.`,
    );
  });

  it.each<[number, Parameters<typeof numberIn>[3]]>([
    [0.1, { min: 0.1, max: 0.1 }],
    [0.7, { min: 0.7, max: 0.7 }],
    [1e-45, { above: 0 }],
    [3.4e38, {}],
    [0.9999999, { below: 1 }],
    [1e-50, { min: 0 }],
  ])("are taken as they are: %d, %j", (value, interval) => {
    expect(numberIn("f", "x", value, interval)).toBe(value);
  });
});

describe("show", () => {
  it("describes any value briefly and never throws", () => {
    const cyclic: Record<string, unknown> = {};
    cyclic.self = cyclic;
    expect(show(cyclic)).toBe("{ self: { self: { self: {...} } } }");
    expect(show(10n)).toBe("10n");
    expect(show(new Float32Array(3))).toBe("a Float32Array");
    expect(show(new Map())).toBe("a Map");
    expect(show(() => 1)).toBe("a function");
    expect(show([1, "a", undefined])).toBe('[1, "a", undefined]');
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withNullPrototype: true, withTypedArray: true }), (value) => {
        expect(show(value).length).toBeLessThanOrEqual(200);
      }),
    );
  });
});

describe("what comes from a file", () => {
  it("is told without what a terminal obeys, on one line, and shortened", () => {
    const name = "\u001b]0;x\u0007\u009b2J\u202eevil\u2028\r\n";
    const { message, facts } = new DataError({
      where: name,
      problem: "is bad",
      expected: "a\nb",
      received: "x".repeat(5000),
    });
    expect(
      message.startsWith(
        "\\u001b]0;x\\u0007\\u009b2J\\u202eevil\\u2028\\u000d\\n: is bad: expected a\\nb, received xxx",
      ),
    ).toBe(true);
    expect(message.length).toBeLessThan(1200);
    expect(facts.where).toBe(name);
    expect(new DataError({ where: "a", problem: "two\nlines" }).message).toBe("a: two\nlines.");
  });
});
