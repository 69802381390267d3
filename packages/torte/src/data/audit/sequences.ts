/** Checks of sequences: near-twins, lengths, characters, padding. */
import { findSimilarPairs, kmerSets } from "../kmers.js";
import { LETTERS } from "../kinds.js";
import type { Audited } from "./audit.js";
import { counted, NAMED, named } from "./columns.js";
import type { ClassLength, Finding, Twins } from "./findings.js";

/** Of more pairs, the rest is not counted. */
const MOST_PAIRS = 200_000;

/** Pairs that are nearly, not wholly, the same. */
export function nearTwins(audited: Audited, threshold: number, given: number | undefined): readonly Finding[] {
  const { sequence, targets, parts, lineOf } = audited;
  if (sequence === undefined) return [];
  const { values } = sequence;
  const sets = kmerSets(values, given === undefined ? {} : { k: given });
  const examples: Twins[] = [];
  const straddling: Twins[] = [];
  let [pairs, oppositeLabels, acrossParts] = [0, 0, 0];
  findSimilarPairs(sets, {
    threshold,
    skip: (i, j) => values[i] === values[j],
    found: (i, j, similarity) => {
      const pair: Twins = { lines: [lineOf(i), lineOf(j)], similarity };
      const opposite = targets.kind === "classes" && targets.of[i] !== targets.of[j];
      const across = parts !== undefined && parts[i] !== parts[j];
      pairs++;
      oppositeLabels += Number(opposite);
      acrossParts += Number(across);
      if (across && straddling.length < NAMED) straddling.push(pair);
      if (examples.length < NAMED && (opposite || targets.kind === "numbers")) examples.push(pair);
      return pairs < MOST_PAIRS;
    },
  });
  if (pairs === 0) return [];
  const more = pairs >= MOST_PAIRS;
  const shown = acrossParts > 0 ? straddling : examples;
  const details = [
    ...(targets.kind === "classes" ? [`${oppositeLabels} of them with opposite labels`] : []),
    ...(parts === undefined ? [] : [`${acrossParts} across parts`]),
    ...(shown[0] === undefined ? [] : [`as lines ${shown[0].lines.join(" and ")}`]),
  ];
  const message = `${more ? "more than " : ""}${counted(pairs, "near-identical pair")} (${sets.k}-mer Jaccard ≥ ${threshold})${details.length === 0 ? "" : `, ${details.join(", ")}`}`;
  const severity = acrossParts > 0 ? "error" : oppositeLabels > 0 || parts === undefined ? "warning" : "info";
  return [
    {
      kind: "nearTwins",
      severity,
      pairs,
      oppositeLabels,
      acrossParts,
      threshold,
      k: sets.k,
      more,
      examples: shown,
      message,
    },
  ];
}

/** Medians that differ by so much are worth a look. */
const LONGER = 1.25;

export function lengthPerClass({ sequence, targets }: Audited): readonly Finding[] {
  if (sequence === undefined || targets.kind === "numbers") return [];
  const classes = targets.labels.map((label, c): ClassLength => {
    const lengths = sequence.values
      .filter((_, i) => targets.of[i] === c)
      .map(({ length }) => length)
      .sort((a, b) => a - b);
    const mean = lengths.reduce((sum, length) => sum + length, 0) / Math.max(1, lengths.length);
    const at = (share: number): number => lengths[Math.floor(share * (lengths.length - 1))] ?? 0;
    return { label, least: at(0), median: at(0.5), mean, most: at(1) };
  });
  const medians = classes.map(({ median }) => median);
  const severity = Math.max(...medians) > LONGER * Math.max(1, Math.min(...medians)) ? "warning" : "info";
  const listed = classes
    .slice(0, 6)
    .map(({ label, least, median, most }) => `${label}: ${median} (${least} to ${most})`);
  const message = `median length by class ${listed.join(", ")}${classes.length > 6 ? ", ..." : ""}`;
  return [{ kind: "lengthPerClass", severity, classes, message }];
}

export function invalidCharacters(audited: Audited): readonly Finding[] {
  const { sequence } = audited;
  if (sequence === undefined || !(sequence.kind in LETTERS)) return [];
  const { usual, others } = LETTERS[sequence.kind as keyof typeof LETTERS];
  const known = new Set(usual + others);
  const standIns = new Set([...others].filter((letter) => letter !== "-" && letter !== "*"));
  return [
    ...withLetters(audited, "invalidCharacters", (letter) => !known.has(letter)),
    ...withLetters(audited, "ambiguousCharacters", (letter) => standIns.has(letter)),
  ];
}

function withLetters(
  { sequence, lineOf }: Audited,
  kind: "invalidCharacters" | "ambiguousCharacters",
  is: (letter: string) => boolean,
): readonly Finding[] {
  if (sequence === undefined) return [];
  const counts = new Map<string, number>();
  const rows: number[] = [];
  sequence.values.forEach((text, i) => {
    let found = false;
    for (const letter of text)
      if (is(letter)) {
        counts.set(letter, (counts.get(letter) ?? 0) + 1);
        found = true;
      }
    if (found) rows.push(i);
  });
  if (rows.length === 0) return [];
  const letters = [...counts].sort((a, b) => b[1] - a[1]).map(([letter, count]) => ({ letter, count }));
  const lines = rows.slice(0, NAMED).map(lineOf);
  const listed = letters.slice(0, 6).map(({ letter, count }) => `${JSON.stringify(letter)} (${count})`);
  const invalid = kind === "invalidCharacters";
  const which = invalid ? `letters that are none of a ${sequence.kind}` : "letters that stand for several";
  const message = `${sequence.column}: ${counted(rows.length, "sequence has", "sequences have")} ${which}: ${listed.join(", ")}${letters.length > 6 ? ", ..." : ""} (${named(lines, rows.length)})`;
  return [
    {
      kind,
      severity: invalid ? "error" : "info",
      column: sequence.column,
      letters,
      count: rows.length,
      lines,
      message,
    },
  ];
}

/** Marks of gaps and ends at either end of a sequence, or a run of its unknown letter. */
const PADDING = {
  protein: /^([-*._ 0]|X{3})|([-._ 0]|\*{2}|X{3})$/,
  DNA: /^([-*._ 0]|N{3})|([-*._ 0]|N{3})$/,
} as const;

export function padding({ sequence, lineOf }: Audited): readonly Finding[] {
  if (sequence === undefined || !(sequence.kind in LETTERS)) return [];
  const pattern = sequence.kind === "protein" ? PADDING.protein : PADDING.DNA;
  const rows = sequence.values.flatMap((text, i) => (pattern.test(text) ? [i] : []));
  if (rows.length === 0) return [];
  const lines = rows.slice(0, NAMED).map(lineOf);
  const message = `${sequence.column}: ${counted(rows.length, "sequence is", "sequences are")} padded at an end (${named(lines, rows.length)})`;
  return [{ kind: "padding", severity: "warning", column: sequence.column, count: rows.length, lines, message }];
}
