/** The one look of all figures: colours for light and dark pages, letters, and Vega's settings made of them. */

/** A colour on light paper, and what stands for it in dark mode. */
type Pair = readonly [light: string, dark: string];

/**
 * Eight colours that people with any colour vision tell apart (Okabe and Ito 2008); the lighter ones are darkened until they
 * stand out from white paper by 3 : 1. Figures never rely on them alone: lines differ in their dashes, too.
 */
const SERIES: readonly Pair[] = [
  ["#0072b2", "#56a9e4"],
  ["#d55e00", "#f5884a"],
  ["#00815e", "#2cc299"],
  ["#b3588a", "#e39cc6"],
  ["#a87300", "#eab443"],
  ["#3d8fc4", "#9ad1f5"],
  ["#6b6b6b", "#b5b5b5"],
  ["#857a00", "#e2d84f"],
];

const PAIRS = {
  paper: ["#ffffff", "#15181e"],
  ink: ["#1b1f24", "#eceef1"],
  soft: ["#4d545e", "#b3bac4"],
  axis: ["#8a919c", "#767e8a"],
  grid: ["#e3e6ea", "#2d323b"],
  /** Areas of little weight: boxes of a diagram, a mask's zeros. */
  shade: ["#eef1f5", "#242932"],
} as const satisfies Record<string, Pair>;

/** On light paper; the finished SVG has what dark mode makes of them. */
export const COLOR = Object.fromEntries(Object.entries(PAIRS).map(([name, [light]]) => [name, light])) as Readonly<
  Record<keyof typeof PAIRS, string>
>;

/** The colour of the i-th series. */
export const seriesColor = (i: number): string => SERIES[i % SERIES.length]?.[0] ?? COLOR.ink;

/** Dashes of the i-th series, so that lines can be told apart in grey; solid first. */
export const DASHES: readonly (readonly number[])[] = [
  [1, 0],
  [6, 3],
  [2, 2],
  [8, 3, 2, 3],
  [12, 4],
  [4, 4],
];

/** What dark mode makes of each colour. */
export const DARK: ReadonlyMap<string, string> = new Map([...Object.values(PAIRS), ...SERIES]);

/** Colours of cells do not follow the page, so that what is written on them stays readable: light to dark, and both inks. */
export const CELL = { low: "#f3f7fb", high: "#08437a", darkInk: "#1b1f25", lightInk: "#fefefe" } as const;

/** Three colours for values below, at and above 0. */
export const DIVERGING = ["#b3480a", "#f6f6f4", "#08539c"] as const;

/** DejaVu Sans, which the package brings for PNG, is wider than the others, so that what fits with it fits with all. */
export const FONT = "Helvetica, Arial, 'DejaVu Sans', sans-serif";

/** Sizes of letters, in pixels. */
export const SIZE = { title: 15, text: 12, small: 11 } as const;

/** Vega-Lite's settings. */
export const VEGA_CONFIG = {
  aria: false,
  background: COLOR.paper,
  font: FONT,
  padding: 12,
  view: { stroke: null },
  title: {
    anchor: "start",
    frame: "bounds",
    color: COLOR.ink,
    fontSize: SIZE.title,
    fontWeight: 600,
    subtitleColor: COLOR.soft,
    subtitleFontSize: SIZE.text,
    subtitleLineHeight: 16,
    lineHeight: 19,
    subtitlePadding: 5,
    offset: 12,
  },
  axis: {
    labelColor: COLOR.soft,
    labelFontSize: SIZE.small,
    titleColor: COLOR.ink,
    titleFontSize: SIZE.text,
    titleFontWeight: "normal",
    titlePadding: 8,
    domainColor: COLOR.axis,
    tickColor: COLOR.axis,
    gridColor: COLOR.grid,
    labelLimit: 160,
    labelFlush: false,
  },
  legend: {
    orient: "bottom",
    direction: "horizontal",
    title: null,
    layout: { bottom: { anchor: "start", direction: "vertical", margin: 6 } },
    labelColor: COLOR.ink,
    labelFontSize: SIZE.text,
    labelLimit: 260,
    symbolStrokeWidth: 2,
    symbolSize: 160,
    columnPadding: 16,
  },
  line: { strokeWidth: 2 },
  range: { category: SERIES.map(([light]) => light), heatmap: [CELL.low, CELL.high] },
} as const;
