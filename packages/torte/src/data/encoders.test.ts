import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DataError, OptionError } from "../errors.js";
import { learnMerges, mergeAll } from "./byte-pairs.js";
import {
  categoryLookup,
  encoderFromJSON,
  minMaxScaler,
  padSequences,
  type Scaler,
  standardScaler,
  toCategorical,
} from "./encoders.js";
import { Tokenizer, tokenizer, type TokenUnit } from "./tokenizer.js";

const copy = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe("tokenizers", () => {
  it("number characters, with or without reserved numbers", () => {
    const vocabulary = "abcdefghijklmnopqrstuvwxyz";
    const plain = tokenizer({ unit: "characters", vocabulary, padding: false, unknown: false });
    expect(plain.encode("hello")).toEqual([7, 4, 11, 11, 14]);
    expect(plain.size).toBe(26);
    expect(tokenizer({ unit: "characters", vocabulary, unknown: false }).encode("hello")).toEqual([8, 5, 12, 12, 15]);
    expect(tokenizer({ unit: "characters", vocabulary }).encode("a-b")).toEqual([2, 1, 3]);
    expect(tokenizer({ unit: "characters", vocabulary, padding: false }).encode("a-b")).toEqual([1, 0, 2]);
    expect(() => plain.encode("a-b")).toThrow('tokenizer: the token "-" is unknown: received "a-b".');
    expect(() => plain.transform(["ab", "a"])).toThrow(
      "tokenizer: text 1 is too short: expected 2 tokens, received 1.",
    );
  });

  it("know residues and bases, of which T, C, A, G are a unit matrix", () => {
    const bases = tokenizer({ unit: "DNA", padding: false, unknown: false });
    expect(toCategorical(bases.encode("tcag"), 4).toArray()).toEqual([
      [1, 0, 0, 0],
      [0, 1, 0, 0],
      [0, 0, 1, 0],
      [0, 0, 0, 1],
    ]);
    const residues = tokenizer({ unit: "protein" });
    expect(residues.transform(["ACX", "Y"]).toArray()).toEqual([
      [2, 3, 1],
      [21, 0, 0],
    ]);
    expect(residues.transform(["ACD"], 2).toArray()).toEqual([[2, 3]]);
    expect(residues.decode([2, 3, 1, 0])).toBe("AC\ufffd");
  });

  it.each([
    ["SMILES", "C[C@@H](Cl)Br%12", ["C", "[C@@H]", "(", "Cl", ")", "Br", "%12"]],
    ["words", "Don't panic, 42!", ["don't", "panic", "42"]],
    ["characters", "a𝔸", ["a", "𝔸"]],
    ["RNA", "acgu", ["A", "C", "G", "U"]],
  ] as const)("take %s apart", (unit, text, tokens) => {
    expect(tokenizer({ unit }).tokens(text)).toEqual(tokens);
  });

  it("find their vocabulary in the texts, the most frequent first, as much as is asked for", () => {
    const words = tokenizer({ unit: "words", size: 2 }).fit(["the cat", "the dog", "a dog", "the end"]);
    expect(words.vocabulary).toEqual(["the", "dog"]);
    expect(words.encode("The cat")).toEqual([2, 1]);
    expect(() => tokenizer({ unit: "words" }).encode("a")).toThrow("tokenizer: it has no vocabulary yet");
  });

  it("learn byte pairs: Sennrich's example", () => {
    // low ×5, lower ×2, newest ×6, widest ×3: e s, es t, l o, lo w.
    const texts = [
      ...Array<string>(5).fill("low"),
      "lower",
      "lower",
      ...Array<string>(6).fill("newest"),
      ...Array<string>(3).fill("widest"),
    ];
    const { merges } = learnMerges(texts, 15);
    expect(merges.slice(0, 4)).toEqual([
      ["e", "s"],
      ["es", "t"],
      ["l", "o"],
      ["lo", "w"],
    ]);
    expect(mergeAll("lowest", merges.slice(0, 4))).toEqual(["low", "est"]);
    // By hand: the ten letters in their order, then what was merged; the fifth pair is e w of newest, before n e and w est, which are as frequent.
    const pieces = tokenizer({ unit: "bytePairs", size: 15 }).fit(texts);
    expect(pieces.vocabulary).toEqual([..."deilnorstw", "es", "est", "lo", "low", "ew"]);
    expect(pieces.size).toBe(17);
    expect(pieces.tokens("lowest newer")).toEqual(["low", "est", " ", "n", "ew", "e", "r"]);
    expect(pieces.encode("lowest newer")).toEqual([15, 13, 1, 6, 16, 3, 8]);
    expect(pieces.decode(pieces.encode("widest low"))).toBe("widest\ufffdlow");
  });

  it("give the text back, also after JSON", () => {
    const units: readonly TokenUnit[] = ["characters", "SMILES", "bytePairs"];
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: "grapheme" }), { minLength: 1 }),
        fc.constantFrom(...units),
        (texts, unit) => {
          const fitted = tokenizer({ unit, padding: false, unknown: false, size: 5000 }).fit(texts);
          const again = Tokenizer.fromJSON(copy(fitted));
          for (const text of texts) {
            expect(fitted.decode(fitted.encode(text))).toBe(text);
            expect(again.encode(text)).toEqual(fitted.encode(text));
          }
        },
      ),
    );
  });
});

describe("scalers and lookups", () => {
  it("scale as scikit-learn does", () => {
    const rows = [
      [1, 5],
      [2, 5],
      [6, 5],
    ];
    const standard = standardScaler().fit(rows);
    expect(standard.toJSON()).toEqual({ encoder: "standardScaler", shift: [3, 5], scale: [Math.sqrt(14 / 3), 1] });
    expect([
      ...standard.transform([
        [3, 5],
        ["6", "6"],
      ]).data,
    ]).toEqual([0, 0, Math.fround(3 / Math.sqrt(14 / 3)), 1]);
    expect(
      minMaxScaler()
        .fit(rows)
        .transform([
          [1, 5],
          [6, 7],
        ])
        .toArray(),
    ).toEqual([
      [0, 0],
      [1, 2],
    ]);
    expect(
      standardScaler()
        .fit([[1e9 + 1], [1e9 + 3]])
        .toJSON().scale,
    ).toEqual([1]);
  });

  it("number categories", () => {
    const lookup = categoryLookup().fit(["pig", "cow", "pig"]);
    expect([...lookup.transform(["cow", "pig"]).data]).toEqual([0, 1]);
    expect(() => lookup.transform(["owl"])).toThrow(
      'categoryLookup: row 0 has an unknown value: expected one of cow, pig, received "owl".',
    );
    expect([...categoryLookup({ unknown: true }).fit(["pig"]).transform(["owl", "pig"]).data]).toEqual([0, 1]);
    expect(() => categoryLookup({ vocabulary: ["a", "a"] })).toThrow(OptionError);
    expect(() => categoryLookup({ vocab: [] } as object)).toThrow(OptionError);
  });

  it("know nothing but what they were fitted to, and stay as they were when another is fitted", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer(), fc.integer()), { minLength: 2 }),
        fc.array(fc.tuple(fc.integer(), fc.integer()), { minLength: 1 }),
        (train, validation) => {
          for (const make of [standardScaler, minMaxScaler]) {
            const fitted = make().fit(train);
            const before = copy(fitted);
            fitted.transform(validation);
            fitted.fit([...train, ...validation]);
            expect(copy(fitted)).toEqual(before);
            expect(copy(make().fit(train))).toEqual(before);
          }
          const lookup = categoryLookup({ unknown: true }).fit(train.map(([a]) => a));
          const before = copy(lookup);
          lookup.transform(validation.map(([a]) => a));
          expect(copy(lookup)).toEqual(before);
        },
      ),
    );
  });

  it("come back from JSON", () => {
    const encoders = [
      [standardScaler().fit([[1], [2]]), [[1], [5]]],
      [minMaxScaler().fit([[1], [2]]), [[1], [5]]],
    ] as const;
    for (const [encoder, rows] of encoders) {
      const again = encoderFromJSON(copy(encoder)) as Scaler;
      expect(again.transform(rows)).toEqual(encoder.transform(rows));
    }
    const lookup = categoryLookup({ unknown: true }).fit(["a", "b"]);
    expect(encoderFromJSON(copy(lookup))).toEqual(lookup);
    const words = tokenizer({ unit: "words" }).fit(["a b"]);
    expect(encoderFromJSON(copy(words)).toJSON()).toEqual(words.toJSON());
    for (const wrong of [null, 1, {}, { encoder: "tokenizer" }, { encoder: "standardScaler", shift: [1], scale: [0] }])
      expect(() => encoderFromJSON(wrong)).toThrow(DataError);
  });

  it("refuse what they cannot take", () => {
    expect(() => standardScaler().transform([[1]])).toThrow("standardScaler: it has not been fitted");
    expect(() => standardScaler().fit([])).toThrow("there is nothing to fit to");
    expect(() => standardScaler().fit([["x"]])).toThrow(
      'standardScaler: row 0, column 0: this is no number: received "x".',
    );
    expect(() => categoryLookup().transform(["a"])).toThrow("it has not been fitted");
  });
});

describe("padSequences and toCategorical", () => {
  it("pad and cut at either end", () => {
    const lists = [[1, 2, 3], [4], []];
    expect(padSequences(lists).toArray()).toEqual([
      [1, 2, 3],
      [4, 0, 0],
      [0, 0, 0],
    ]);
    expect(padSequences(lists, { length: 2, padding: "start", value: 9 }).toArray()).toEqual([
      [1, 2],
      [9, 4],
      [9, 9],
    ]);
    expect(padSequences(lists, { length: 2, truncating: "start" }).toArray()).toEqual([
      [2, 3],
      [4, 0],
      [0, 0],
    ]);
    expect(() => padSequences(lists, { maxlen: 2 } as object)).toThrow(OptionError);
  });

  it("refuse classes that are none", () => {
    for (const wrong of [[3], [-1], [0.5]]) expect(() => toCategorical(wrong, 3)).toThrow(DataError);
  });
});
