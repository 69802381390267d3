/** How wide text is in DejaVu Sans, so that the same figure comes out wherever it is drawn. */
import { WIDTHS } from "./font-widths.js";

/** Of letters that the table does not have: as wide as an n; those of the East as wide as they are high. */
const OTHER = 64;
const WIDE = 100;

/** Width of a line in pixels. */
export function textWidth(text: string, size: number): number {
  let sum = 0;
  for (const letter of text) {
    const code = letter.codePointAt(0) ?? 0;
    sum += code >= 0x2e80 ? WIDE : (WIDTHS[code - 32] ?? OTHER);
  }
  return (sum * size) / 100;
}

/** The text in lines of at most `width` pixels; words that are longer than a line are cut. */
export function wrapText(text: string, width: number, size: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/).flatMap((word) => pieces(word, width, size))) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && textWidth(longer, size) > width) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return line === "" ? lines : [...lines, line];
}

function pieces(word: string, width: number, size: number): string[] {
  const parts: string[] = [];
  let part = "";
  for (const letter of word) {
    if (part !== "" && textWidth(part + letter, size) > width) {
      parts.push(part);
      part = "";
    }
    part += letter;
  }
  return [...parts, part];
}

/** The text, its end replaced by an ellipsis where it is too long. */
export function shortened(text: string, width: number, size: number): string {
  if (textWidth(text, size) <= width) return text;
  const letters = [...text];
  while (letters.length > 0 && textWidth(`${letters.join("")}…`, size) > width) letters.pop();
  return `${letters.join("").trimEnd()}…`;
}

/** A number with four significant digits, and a true minus. */
export function shortNumber(value: number): string {
  return String(Number(value.toPrecision(4))).replace("-", "−");
}

/** 1234567 as "1,234,567". */
export const grouped = (value: number): string => String(value).replaceAll(/\B(?=(\d{3})+(?!\d))/g, ",");
