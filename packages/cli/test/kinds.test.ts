/** From files of each kind to an opened test: every one beats what needs no model by more than its interval of 95 %. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { encode as encodePng } from "fast-png";
import { describe, expect, it } from "vitest";
import { newFolder, torte } from "./command.js";

/** Lehmer's random numbers. */
function lehmer(seed: number): () => number {
  let state = 1 + seed * 7919;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}
const ROWS = 400;
const next = lehmer(3);
const pick = <T>(of: readonly T[]): T => of[Math.floor(next() * of.length)] as T;
const several = (of: readonly string[], count: number, between = ""): string =>
  Array.from({ length: count }, () => pick(of)).join(between);
const rows = <T>(of: (i: number) => T): T[] => Array.from({ length: ROWS }, (_, i) => of(i));
const csv = (head: string, of: (i: number) => readonly (string | number)[]): string =>
  `${head}\n${rows((i) => of(i).join(",")).join("\n")}\n`;

interface Case {
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  readonly args: readonly string[];
  readonly told: string;
  readonly figure: string;
  /** What needs no model has; where it is left out, what the majority class has. */
  readonly trivial?: number;
}

/** DNA with a site in its middle, or without. */
function dna(): Case {
  const fasta = (site: string, from: number): string =>
    Array.from({ length: ROWS / 2 }, (_, i) => {
      const letters = several(["A", "C", "G", "T"], 60 + (i % 20));
      const at = 10 + (i % 30);
      return `>s${from + i}\n${letters.slice(0, at)}${site}${letters.slice(at + site.length)}\n`;
    }).join("");
  const files = { "sites.fasta": fasta("TATAATGC", 0), "others.fasta": fasta("", ROWS) };
  return { files, args: ["sites.fasta", "others.fasta"], told: "label (binary: others, sites)", figure: "accuracy" };
}

/** A number, or one of three classes, by two numbers and a colour, one of them with gaps. */
function numbers(target: "price" | "size"): Case {
  const table = csv("width,height,colour,price,size", (i) => {
    const [w, h] = [next() * 10, next() * 4 - 2];
    const colour = ["red", "green", "blue"][i % 3] ?? "";
    const price = 3 * w + 5 * h * h + (colour === "red" ? 10 : 0) + next();
    const size = w + 2 * h < 4 ? "small" : w + 2 * h < 7 ? "middle" : "large";
    return [i % 11 === 0 ? "" : w.toFixed(3), h.toFixed(3), colour, price.toFixed(3), size];
  });
  const others =
    target === "price"
      ? ["--input", "width", "--input", "height", "--input", "colour"]
      : ["--input", "width", "--input", "height"];
  return {
    files: { "things.csv": table },
    args: ["things.csv", "--target", target, ...others],
    told: target === "price" ? "price (regression)" : "size (multiClass: large, middle, small)",
    figure: target === "price" ? "r2Score" : "accuracy",
    ...(target === "price" ? { trivial: 0 } : {}),
  };
}

/** Molecules that have an acid, or none. */
const smiles = (): Case => ({
  files: {
    "molecules.csv": csv("smiles,acid", (i) => {
      const chain = several(["C", "CC", "C(C)", "N", "c1ccccc1", "O"], 4 + (i % 5));
      return [i % 2 === 0 ? `C${chain}C(=O)O` : `C${chain}C(=O)N`, i % 2 === 0 ? "yes" : "no"];
    }),
  },
  args: ["molecules.csv", "--target", "acid"],
  told: "acid (binary: no, yes)",
  figure: "accuracy",
});

/** Short texts, good or bad by one word. */
const texts = (): Case => ({
  files: {
    "notes.csv": csv("note,good", (i) => {
      const words = Array.from({ length: 6 }, () =>
        pick(["the", "food", "was", "we", "came", "again", "late", "room", "with"]),
      );
      words[i % 6] = i % 2 === 0 ? pick(["great", "lovely", "tasty"]) : pick(["awful", "bland", "cold"]);
      return [words.join(" "), i % 2];
    }),
  },
  args: ["notes.csv", "--target", "good"],
  told: "good (binary: 0, 1)",
  figure: "accuracy",
});

/** Where proteins lie, by what they begin and end with. */
const labels = (): Case => ({
  files: {
    "places.csv": csv("seq,place", (i) => {
      const [a, b] = [i % 3 === 0, i % 2 === 0];
      const middle = several([..."ACDEFGHIKLMNPQRSTVWY"], 30);
      const place = [...(a ? ["nucleus"] : []), ...(b ? ["membrane"] : [])].join(";");
      return [`${a ? "KKRK" : "MSTS"}${middle}${b ? "LLVF" : "DSED"}`, place === "" ? "cytosol" : place];
    }),
  },
  args: ["places.csv", "--target", "place"],
  told: "place (multiLabel: cytosol, membrane, nucleus)",
  figure: "accuracy",
  trivial: 1 / 3,
});

/** Stripes that lie or stand, in any colour. */
const images = (): Case => ({
  files: Object.fromEntries(
    rows((i): [string, Uint8Array] => {
      const [lies, phase, period] = [i % 2 === 0, Math.floor(next() * 4), 4 + (i % 3)];
      const colour = [next(), next(), next()];
      const data = Uint8Array.from({ length: 16 * 16 * 3 }, (_, at) => {
        const [y, x, c] = [Math.floor(at / 48), Math.floor(at / 3) % 16, at % 3];
        const stripe = ((lies ? y : x) + phase) % period < period / 2;
        return 255 * Math.min(1, (stripe ? (colour[c] ?? 0) : 0.1) * 0.7 + 0.3 * next());
      });
      return [
        `stripes/${lies ? "lying" : "standing"}/${i}.png`,
        encodePng({ width: 16, height: 16, channels: 3, data }),
      ];
    }),
  ),
  args: ["stripes"],
  told: "label (binary: lying, standing)",
  figure: "accuracy",
});

const CASES = {
  DNA: dna,
  "a number": () => numbers("price"),
  "three classes": () => numbers("size"),
  SMILES: smiles,
  texts,
  "several labels": labels,
  images,
};

describe("torte train --evaluate", { timeout: 300_000 }, () => {
  it.each(Object.entries(CASES))("on %s", async (_, make) => {
    const folder = newFolder();
    const { files, args, told, figure, trivial } = make();
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), content);
    }
    const run = await torte(folder, "train", ...args, "--test", "0.25", "--epochs", "40", "--out", "run", "--evaluate");
    expect(run).toMatchObject({ status: 0, error: "" });
    expect(run.out).toContain(`target    ${told}\n`);
    const { figures, baseline } = JSON.parse(readFileSync(join(folder, "run/evaluation.json"), "utf8")) as {
      figures: { name: string; value: number; low: number }[];
      baseline?: number;
    };
    const found = figures.find(({ name }) => name === figure);
    expect(found?.low).toBeGreaterThan(trivial ?? baseline ?? NaN);
    expect(readFileSync(join(folder, "run/report.html"), "utf8")).toContain("<h2>The test</h2>");
    if (told.includes("binary") && !args.includes("stripes")) return; // predictions of these have tests of their own
    const [first = ""] = args;
    const predicted = await torte(folder, "predict", "run", first, "--quiet");
    expect(predicted).toMatchObject({ status: 0, error: "" });
    expect(predicted.out.split("\n").length).toBeGreaterThan(ROWS / 2);
  });
});
