/** The table of a model that people know from Keras. */
import { booleanOption, checkOptions } from "../../errors.js";
import { entryOf, formatShape } from "../../tensor/shape.js";
import type { Layer } from "../layer.js";
import type { Network } from "../network.js";
import { countParameters } from "./parameters.js";
import { PAGE, tableRow, thousands } from "./report.js";
import { type Call, isChain, namesOf, typeOf, walk } from "./call-tree.js";

/** Options of a model's `summary`. */
export interface SummaryOptions {
  /** Shows the layers inside of blocks, too. Default false. */
  readonly expandNested?: boolean;
  /** Shows which layers are trained. Default false. */
  readonly showTrainable?: boolean;
}

interface Row {
  readonly call: Call;
  readonly depth: number;
  readonly frozen: boolean;
  readonly parameters: number;
}

function rowsOf(calls: readonly Call[], expand: boolean, depth = 0, frozen = false, seen = new Set<Layer>()): Row[] {
  return calls.flatMap((call) => {
    const { trainable, frozen: fixed } = countParameters([call.layer]);
    const row: Row = {
      call,
      depth,
      frozen: frozen || !call.layer.trainable,
      parameters: seen.has(call.layer) ? 0 : trainable + fixed,
    };
    seen.add(call.layer);
    return [row, ...(expand ? rowsOf(call.inner, expand, depth + 1, row.frozen, seen) : [])];
  });
}

interface Column {
  readonly title: string;
  /** At most; the first column takes what the others leave. */
  readonly most?: number;
  readonly cell: (row: Row) => string;
}

const indented = (depth: number): string => (depth === 0 ? "" : `${"  ".repeat(depth - 1)} └ `);

function columnsOf(
  rows: readonly Row[],
  showTrainable: boolean,
  sources: ((call: Call) => string) | undefined,
): Column[] {
  const masked = rows.some(({ call }) => call.result.mask !== undefined);
  const optional: (Column | false)[] = [
    masked && { title: "Mask", cell: ({ call }) => (call.result.mask === undefined ? "" : "yes") },
    showTrainable && {
      title: "Trained",
      cell: ({ call, frozen }) => (call.layer.everyWeight().length === 0 ? "-" : frozen ? "no" : "yes"),
    },
    sources !== undefined && { title: "Connected to", most: 22, cell: ({ call }) => sources(call) },
  ];
  return [
    {
      title: "Layer (type)",
      cell: ({ call, depth }) => `${indented(depth)}${call.layer.where} (${typeOf(call.layer)})`,
    },
    { title: "Output Shape", cell: ({ call }) => formatShape(call.shape) },
    { title: "Param #", cell: ({ parameters }) => String(parameters) },
    ...optional.filter((column) => column !== false),
  ];
}

/** The table is at least as wide as this. */
const ROOMY = 76;

/** As wide as the cells need, the names being broken where a page is too narrow; roomy where it is not. */
function widthsOf(columns: readonly Column[], cells: readonly (readonly string[])[]): number[] {
  const needed = columns.map(({ title, most = PAGE }, i) =>
    Math.min(most, Math.max(title.length, ...cells.map((row) => row[i]?.length ?? 0)) + 3),
  );
  const [name = 0, widest = 0, ...rest] = needed;
  const others = rest.reduce((sum, width) => sum + width, 0);
  // Where it gets tight, shapes break before names do.
  const shape = PAGE - widest - others < 26 ? Math.min(widest, 15) : widest;
  const first = Math.max(16, Math.min(Math.max(name, 36), PAGE - shape - others));
  const widths = [first, Math.max(shape, Math.min(26, PAGE - first - others)), ...rest];
  const total = widths.reduce((sum, width) => sum + width, 0);
  return widths.map((width, i) => (i === widths.length - 1 ? width + Math.max(0, ROOMY - total) : width));
}

/** Whether what is shown is one row after the other, so that nobody need be told what is connected to what. */
function plain(calls: readonly Call[], inputs: Call["inputs"], expand: boolean): boolean {
  return isChain(calls, inputs) && (!expand || calls.every((call) => plain(call.inner, call.inputs, expand)));
}

/**
 * The summary as text, one line for each application of a layer: name and kind, shape of the result, number of parameters,
 * whether it carries a mask (where any does), and what it is connected to (where that is not the row before).
 */
export function summarize(network: Network, name = "sequential", options: SummaryOptions = {}): string {
  checkOptions("summary", options, ["expandNested", "showTrainable"]);
  const expand = booleanOption("summary", "expandNested", options.expandNested ?? false);
  const showTrainable = booleanOption("summary", "showTrainable", options.showTrainable ?? false);
  const walked = walk(network);
  const names = namesOf(network, walked);
  const single = network.inputs.length === 1 && plain(walked.calls, walked.inputs, expand);
  const sources = ({ inputs }: Call): string => inputs.map((input) => entryOf(names, input)).join(", ");
  const rows = rowsOf(walked.calls, expand);
  const columns = columnsOf(rows, showTrainable, single ? undefined : sources);
  const cells = [
    ...(single ? [] : inputRows(network, columns)),
    ...rows.map((row) => columns.map(({ cell }) => cell(row))),
  ];
  const titles = columns.map(({ title }) => title);
  const widths = widthsOf(columns, cells);
  const line = widths.reduce((sum, width) => sum + width, 0);
  const { trainable, frozen } = countParameters(network.layers);
  return [
    `Model: "${name}"`,
    "_".repeat(line),
    tableRow(titles, widths),
    "=".repeat(line),
    ...cells.map((row) => tableRow(row, widths)),
    "=".repeat(line),
    `Total params: ${thousands(trainable + frozen)}`,
    `Trainable params: ${thousands(trainable)}`,
    `Non-trainable params: ${thousands(frozen)}`,
    "_".repeat(line),
  ].join("\n");
}

function inputRows(network: Network, columns: readonly Column[]): string[][] {
  return network.inputs.map(({ producer, shape }) => [
    `${producer.layer.where} (Input)`,
    formatShape(shape),
    "0",
    ...columns.slice(3).map(({ title }) => (title === "Trained" ? "-" : "")),
  ]);
}
