/** Reports for people: structured results that print as text of 80 columns. */

/** Width of a page. */
export const PAGE = 80;

const inspect = Symbol.for("nodejs.util.inspect.custom");

/** A result with fields to compute with, which prints as text, in console.log of Node, too. */
export abstract class Report {
  abstract toString(): string;

  [inspect](): string {
    return this.toString();
  }
}

/** 60929 as 60,929. */
export const thousands = (n: number): string => n.toLocaleString("en-US");

/** Bytes with a unit that keeps the number short. */
export function formatBytes(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB"];
  let [value, unit] = [bytes, 0];
  while (value >= 1024 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${unit === 0 ? String(value) : value.toFixed(1)} ${units[unit] ?? ""}`;
}

/** An error as tables show it: "-" where there is none to tell. */
export function formatError(error: number | undefined): string {
  if (error === undefined) return "-";
  return error === 0 ? "0" : error.toExponential(1);
}

/** Lines of at most `width` characters, broken between words where that is possible. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (let word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = "";
    }
    if (line !== "") line += ` ${word}`;
    else {
      while (word.length > width) {
        const cut = word.lastIndexOf("_", width - 1) + 1 || width;
        lines.push(word.slice(0, cut));
        word = word.slice(cut);
      }
      line = word;
    }
  }
  return [...lines, line];
}

/** A row of cells one space in from the edge of their columns; long ones go on in the next line. */
export function tableRow(cells: readonly string[], widths: readonly number[]): string {
  const wrapped = cells.map((cell, i) => {
    const [margin = ""] = /^[ └]*/.exec(cell) ?? [];
    const lines = wrap(cell.slice(margin.length), (widths[i] ?? 0) - 2 - margin.length);
    return lines.map((line, k) => `${k === 0 ? margin : " ".repeat(margin.length)}${line}`);
  });
  const height = Math.max(...wrapped.map((lines) => lines.length));
  return Array.from({ length: height }, (_, k) =>
    wrapped
      .map((lines, i) => ` ${lines[k] ?? ""}`.padEnd(widths[i] ?? 0))
      .join("")
      .trimEnd(),
  ).join("\n");
}
