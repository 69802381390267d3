/** How values of options are read. What is wrong is said by commander, with the option's name. */
import { InvalidArgumentError } from "commander";

/** A text that is not empty. */
export function text(value: string): string {
  if (value !== "") return value;
  throw new InvalidArgumentError("It is empty.");
}

/** A whole number from `least` to `most`. */
export function whole(least: number, most?: number): (value: string) => number {
  return (value) => {
    const n = /^\d+$/.test(value) ? Number(value) : NaN;
    if (n >= least && n <= (most ?? Number.MAX_SAFE_INTEGER)) return n;
    const range = most === undefined ? `of at least ${least}` : `from ${least} to ${most}`;
    throw new InvalidArgumentError(`It must be a whole number ${range}.`);
  };
}

/** Any number. */
export function number(value: string): number {
  const n = Number(value);
  if (value.trim() === "" || Number.isNaN(n)) throw new InvalidArgumentError("It must be a number.");
  return n;
}

/** Seconds, from a time such as 90s, 30m or 2h. */
export function duration(value: string): number {
  const [, count, unit = "s"] = /^(\d+(?:\.\d+)?)([smh]?)$/.exec(value) ?? [];
  const seconds = Number(count) * { s: 1, m: 60, h: 3600 }[unit === "" ? "s" : (unit as "s" | "m" | "h")];
  if (seconds > 0) return seconds;
  throw new InvalidArgumentError("It must be a time such as 90s, 30m or 2h.");
}

/** A share of the whole: at least 0, below 1. */
export function share(value: string): number {
  const n = number(value);
  if (n >= 0 && n < 1) return n;
  throw new InvalidArgumentError("It must be a number of at least 0 and below 1.");
}

/** column=kind, which may come again. */
export function kinds(value: string, before: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const at = value.lastIndexOf("=");
  if (at < 1) throw new InvalidArgumentError("It must be column=kind.");
  return { ...before, [value.slice(0, at)]: value.slice(at + 1) };
}

/** A value that may come again. */
export const several = (value: string, before: readonly string[] = []): readonly string[] => [...before, text(value)];
