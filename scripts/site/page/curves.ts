/** The figures of a run, drawn while it goes on: a line for each, as text in SVG. */

const WIDTH = 360;
const HEIGHT = 150;
const LEFT = 48;
const BOTTOM = 22;
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

const short = (value: number): string => (Math.abs(value) >= 1000 || Math.abs(value) < 0.001 ? value.toExponential(1) : value.toPrecision(3)); // prettier-ignore

export type Epochs = readonly Readonly<Record<string, number>>[];

/** Losses share an axis; other figures would need their own, so only losses are drawn where there are any. */
function drawn(epochs: Epochs): string[] {
  const names = Object.keys(epochs[0] ?? {});
  const losses = names.filter((name) => /loss$/i.test(name));
  return losses.length > 0 ? losses : names.slice(0, 1);
}

export function curves(epochs: Epochs): string {
  const names = drawn(epochs);
  const all = epochs.flatMap((figures) => names.map((name) => figures[name] ?? NaN)).filter(Number.isFinite);
  const low = all.reduce((a, b) => Math.min(a, b), Infinity);
  const high = all.reduce((a, b) => Math.max(a, b), -Infinity);
  const x = (i: number): number => LEFT + (i / Math.max(1, epochs.length - 1)) * (WIDTH - LEFT - 8);
  const y = (value: number): number => 8 + (1 - (value - low) / (high - low || 1)) * (HEIGHT - BOTTOM - 16);
  const lines = names.map((name, n) => {
    const points = epochs.map((figures, i) => `${x(i).toFixed(1)},${y(figures[name] ?? NaN).toFixed(1)}`);
    const dash = n % 2 === 1 ? ' stroke-dasharray="5 3"' : "";
    return `<polyline points="${points.filter((point) => !point.includes("NaN")).join(" ")}" fill="none" stroke="${COLOURS[n % COLOURS.length] ?? ""}" stroke-width="1.5"${dash}/>`; // prettier-ignore
  });
  const last = epochs.at(-1) ?? {};
  const text = `${names.map((name) => `${name} ${short(last[name] ?? NaN)}`).join(", ")} after ${epochs.length} epoch${epochs.length === 1 ? "" : "s"}`; // prettier-ignore
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${text}">
<path d="M${LEFT} 8V${HEIGHT - BOTTOM}H${WIDTH - 8}" fill="none" stroke="currentColor" opacity=".5"/>
<text x="${LEFT - 4}" y="14" text-anchor="end">${short(high)}</text>
<text x="${LEFT - 4}" y="${HEIGHT - BOTTOM}" text-anchor="end">${short(low)}</text>
<text x="${WIDTH - 8}" y="${HEIGHT - 6}" text-anchor="end">${text}</text>
${lines.join("\n")}</svg>`;
}
