/** Figures that Vega-Lite draws. */
import type { TopLevelSpec } from "vega-lite";
import { Figure, type Spec } from "./figure.js";
import type { Sizes } from "./options.js";
import type { Drawing } from "./svg.js";
import { textWidth, wrapText } from "./text.js";
import { SIZE, VEGA_CONFIG } from "./theme.js";

export interface VegaParts {
  readonly title: string;
  /** Lines below the title; long ones are wrapped. */
  readonly subtitle?: readonly string[];
  readonly description: string;
  readonly sizes: Sizes;
  /** Data, layers and encodings. */
  readonly chart: Spec;
}

/** A figure of one chart, as wide as the sizes say with everything that belongs to it. */
export function vegaFigure({ title, subtitle = [], description, sizes, chart }: VegaParts): Figure {
  const room = sizes.width - 2 * VEGA_CONFIG.padding;
  const titleLines = wrapText(title, room, SIZE.title * BOLD);
  const subtitleLines = subtitle.flatMap((line) => wrapText(line, room, SIZE.text));
  const spec: Spec = {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    description: `${title}. ${description}`,
    ...(titleLines.length === 0 && subtitleLines.length === 0
      ? {}
      : { title: { text: titleLines, ...(subtitleLines.length === 0 ? {} : { subtitle: subtitleLines }) } }),
    ...sizes,
    autosize: { type: "fit", contains: "padding" },
    ...chart,
    config: VEGA_CONFIG,
  };
  return new Figure({ title, description, spec, draw: () => drawVega(spec) });
}

/** A legend below the chart, in as many columns as there is room for. */
export function legendOf(
  names: readonly string[],
  sizes: Sizes,
  symbolType: "stroke" | "square" = "stroke",
): Spec | null {
  if (names.length < 2) return null;
  const widest = Math.max(...names.map((name) => textWidth(name, SIZE.text)));
  const columns = Math.max(1, Math.floor((sizes.width - 80) / (widest + 50)));
  return { columns: Math.min(columns, names.length), symbolType };
}

/** How much wider letters are that are drawn bold. */
const BOLD = 1.1;

/** Of the drawings before; one after the other, since Vega has one way to measure text for all. */
let before: Promise<unknown> = Promise.resolve();

function drawVega(spec: Spec): Promise<Drawing> {
  const mine = before.then(() => drawNow(spec));
  before = mine.catch(() => undefined);
  return mine;
}

async function drawNow(spec: Spec): Promise<Drawing> {
  const [vega, { compile }] = await Promise.all([import("vega"), import("vega-lite")]); // slow to load
  const { textMetrics } = vega as unknown as { textMetrics: TextMetrics };
  const { width } = textMetrics;
  textMetrics.width = measure;
  try {
    const view = new vega.View(vega.parse(compile(spec as unknown as TopLevelSpec).spec), { renderer: "none" });
    const svg = await view.toSVG();
    view.finalize();
    return opened(svg);
  } finally {
    textMetrics.width = width;
  }
}

interface TextItem {
  readonly fontSize?: number;
  readonly fontWeight?: string | number;
}

interface TextMetrics {
  width: (item: TextItem, text: string | number | null | undefined) => number;
}

const measure: TextMetrics["width"] = ({ fontSize = 11, fontWeight }, text) => {
  const bold = fontWeight === "bold" || Number(fontWeight) >= 600 ? BOLD : 1;
  return textWidth(String(text ?? "").trim(), fontSize) * bold;
};

/** What is inside Vega's document. */
function opened(svg: string): Drawing {
  const [head = "", width = "", height = ""] = /^<svg[^>]*? width="([\d.]+)" height="([\d.]+)"[^>]*>/.exec(svg) ?? [];
  if (head === "") throw new Error(`Vega has drawn something else: ${svg.slice(0, 200)}`);
  return { width: Number(width), height: Number(height), body: svg.slice(head.length, svg.lastIndexOf("</svg>")) };
}
