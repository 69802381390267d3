/** Pieces of a page that stands alone: escaped text, tables, figures. */
import type { Figure } from "@torte/plot";

export const escaped = (text: string): string => text.replaceAll(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);

/** Rows of cells; numbers stand to the right. */
export function table(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
  caption?: string,
): string {
  const cell = (tag: string, value: string | number): string =>
    `<${tag}${typeof value === "number" ? ' class="n"' : ""}>${escaped(typeof value === "number" ? number(value) : value)}</${tag}>`;
  const body = rows.map((row) => `<tr>${row.map((value) => cell("td", value)).join("")}</tr>`).join("\n");
  const title = caption === undefined ? "" : `<caption>${escaped(caption)}</caption>`;
  const header = `<tr>${head.map((name) => `<th scope="col">${escaped(name)}</th>`).join("")}</tr>`;
  return `<div class="wide" tabindex="0" role="region" aria-label="${escaped(caption ?? head.join(", "))}"><table>${title}<thead>${header}</thead><tbody>${body}</tbody></table></div>`;
}

/** Whole numbers as they are, others with four places. */
export const number = (value: number): string =>
  Number.isInteger(value) ? String(value) : Number.isFinite(value) ? value.toFixed(4) : "–";

/** A figure; what it shows in words is in its SVG. */
export const drawn = async (figure: Figure): Promise<string> =>
  `<figure>${withoutRoles(await figure.toSVG({ theme: "light" }))}</figure>`;

/** Of a picture as a whole, which has its words, the roles that its marks have by themselves say nothing more. */
const withoutRoles = (svg: string): string =>
  svg.replaceAll(/<(?!svg)[a-z][^<>]*>/gi, (tag) => tag.replaceAll(/\s(?:role|aria-[a-z]+)="[^"]*"/g, ""));

export const section = (title: string, ...parts: readonly string[]): string =>
  `<section><h2>${escaped(title)}</h2>\n${parts.join("\n")}\n</section>`;

export const paragraph = (text: string): string => `<p>${escaped(text)}</p>`;
export const preformatted = (text: string, label: string): string =>
  `<pre tabindex="0" role="region" aria-label="${escaped(label)}">${escaped(text)}</pre>`;

const STYLE = `
:root { color-scheme: light; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; font: 16px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; color: #1b1b1b; background: #fff; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .5rem 0; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; border-bottom: 1px solid #ccc; }
h3 { font-size: 1rem; margin: 1rem 0 .25rem; }
.wide, pre { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; margin: .5rem 0; }
caption { text-align: left; color: #444; padding: .25rem 0; }
th, td { text-align: left; padding: .2rem .75rem .2rem 0; border-bottom: 1px solid #ddd; vertical-align: top; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
pre { font-size: .8rem; background: #f6f6f6; padding: .5rem; }
figure { margin: .5rem 0; display: inline-block; max-width: 100%; }
.picture svg { width: 100%; height: auto; display: block; }
.note { border-left: 4px solid #b34700; padding: .25rem .75rem; background: #fdf3ea; }
.sequence { font: .85rem/1.6 ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
.up { background: #cfe3f5; } .upper { background: #7fb5e6; } .down { background: #f9ddc7; } .downer { background: #f0a56c; }
@media print { body { max-width: none; padding: 0; font-size: 11px; } section { break-inside: avoid-page; } .wide, pre { overflow: visible; white-space: pre-wrap; } }
`;

/** A whole page; it asks for nothing else. */
export function page(title: string, body: string): string {
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>${escaped(title)}</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`;
}
