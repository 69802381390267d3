/** What all figures take, and how their data is looked at before anything is drawn. */
import { checkOptions, DataError, OptionError, show, Tensor } from "torte";

/** What every figure has. */
export interface FigureOptions {
  /** Above the figure; "" for none. Default: what it shows. */
  readonly title?: string;
  /** Below the title. Default: what the figure has to say; "" for nothing. */
  readonly subtitle?: string;
  /** Whole width in pixels, 200 to 4000: about 360 for phones. Default 560. */
  readonly width?: number;
  /** Whole height in pixels, 120 to 4000. Default: by the figure. */
  readonly height?: number;
}

export interface Sizes {
  readonly width: number;
  readonly height: number;
}

const COMMON = ["title", "subtitle", "width", "height"] as const;

/** @throws OptionError for options that are not known, and sizes out of range. */
export function checkFigure(where: string, options: FigureOptions, others: readonly string[], height: number): Sizes {
  checkOptions(where, options, [...others, ...COMMON]);
  for (const name of ["title", "subtitle"] as const)
    if (options[name] !== undefined && typeof options[name] !== "string")
      throw new OptionError({ where, problem: `${name} is no text`, received: show(options[name]) });
  return {
    width: numberOption(where, "width", options.width ?? 560, 200, 4000),
    height: numberOption(where, "height", options.height ?? height, 120, 4000),
  };
}

/** @throws OptionError outside of the limits, both of which are allowed. */
export function numberOption(where: string, name: string, value: unknown, least: number, most: number): number {
  if (typeof value === "number" && value >= least && value <= most) return value;
  const expected = `a number from ${least} to ${most}`;
  throw new OptionError({ where, problem: `${name} is out of range`, expected, received: show(value) });
}

/** A whole number. @throws OptionError outside of the limits, both of which are allowed. */
export function wholeOption(where: string, name: string, value: unknown, least: number, most: number): number {
  if (Number.isInteger(value)) return numberOption(where, name, value, least, most);
  const expected = `a whole number from ${least} to ${most}`;
  throw new OptionError({ where, problem: `${name} is out of range`, expected, received: show(value) });
}

/** Lines below the title: the figure's own, or the given one. */
export function subtitleOf(options: FigureOptions, ...own: readonly string[]): readonly string[] {
  if (options.subtitle !== undefined) return options.subtitle === "" ? [] : [options.subtitle];
  return own.filter((line) => line !== "");
}

/** Numbers: a tensor or a list. */
export type Numbers = Tensor | ArrayLike<number>;

/** The numbers as a list. @throws DataError where there are none, or one of them is not finite. */
export function numbersOf(where: string, name: string, values: Numbers, { finite = true, least = 1 } = {}): number[] {
  const given: unknown = values instanceof Tensor ? values.data : values;
  const list =
    Array.isArray(given) || (ArrayBuffer.isView(given) && !(given instanceof DataView))
      ? Array.from(given as ArrayLike<unknown>)
      : undefined;
  if (list === undefined)
    throw new DataError({ where, problem: `${name} are no list of numbers`, received: show(values) });
  if (list.length < least)
    throw new DataError({
      where,
      problem: `there are too few ${name}`,
      expected: `at least ${least}`,
      received: String(list.length),
    });
  const bad = list.findIndex((value) => typeof value !== "number" || (finite && !Number.isFinite(value)));
  if (bad >= 0)
    throw new DataError({
      where,
      problem: `${name} hold what is no ${finite ? "finite " : ""}number`,
      received: `${show(list[bad])} at ${bad}`,
    });
  return list as number[];
}

/** Two lists that belong together. @throws DataError where their lengths differ. */
export function pairsOf(
  where: string,
  [nameA, a]: readonly [string, Numbers],
  [nameB, b]: readonly [string, Numbers],
): [number[], number[]] {
  const lists: [number[], number[]] = [numbersOf(where, nameA, a), numbersOf(where, nameB, b)];
  if (lists[0].length === lists[1].length) return lists;
  throw new DataError({
    where,
    problem: `${nameA} and ${nameB} have different lengths`,
    received: `${lists[0].length} and ${lists[1].length}`,
  });
}

/** 0 and 1. @throws DataError for other labels. */
export function binaryLabels(where: string, labels: readonly number[]): readonly number[] {
  const bad = labels.findIndex((label) => label !== 0 && label !== 1);
  if (bad < 0) return labels;
  const received = `${labels[bad] ?? NaN} at ${bad}`;
  throw new DataError({ where, problem: "a target is no class of two", expected: "0 or 1", received });
}

/** One thing, or several by name. @throws DataError where there is none. */
export function named<T>(
  where: string,
  given: T | Readonly<Record<string, T>>,
  isOne: (value: unknown) => boolean,
  alone: string,
): readonly (readonly [string, T])[] {
  if (isOne(given)) return [[alone, given as T]];
  const entries =
    typeof given === "object" && given !== null ? Object.entries(given as Readonly<Record<string, T>>) : [];
  const wrong = entries.find(([, value]) => !isOne(value));
  if (entries.length > 0 && wrong === undefined) return entries;
  const received = wrong === undefined ? show(given) : `${show(wrong[1])} under ${JSON.stringify(wrong[0])}`;
  throw new DataError({ where, problem: "there is nothing of the right kind to draw", received });
}

/** Names of classes, in their order; default their numbers. @throws OptionError where they are not as many as the classes. */
export function labelsOf(where: string, classes: number, labels: readonly string[] | undefined): readonly string[] {
  if (labels === undefined) return Array.from({ length: classes }, (_, i) => String(i));
  if (Array.isArray(labels) && labels.length === classes && new Set(labels.map(String)).size === classes)
    return labels.map(String);
  const expected = `${classes} different names`;
  throw new OptionError({ where, problem: "labels do not fit the classes", expected, received: show(labels) });
}
