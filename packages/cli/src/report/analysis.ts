/** What a report tells of a part beyond its figures: strata, ablations, the hardest rows, and what single letters do. */
import { type Figure, figuresOf, formOf, type Predictor, type Told } from "@torte/data";
import { LETTERS, type Table, Tensor } from "torte";

/** Rows of the table that make a part up, and what is told of them. */
export interface PartOfTable {
  readonly table: Table;
  /** Of the table, in the order of `told`. */
  readonly rows: readonly number[];
  readonly x: readonly Tensor[];
  readonly told: Told;
}

/** Figures of some of the rows. */
export interface Stratum {
  readonly name: string;
  readonly rows: number;
  readonly figures: readonly Figure[];
}

/** Samples of figures that are beside the point. */
const FEW = 200;
/** A stratum of fewer rows says nothing. */
const FEWEST = 20;

/** What is told of some of the rows. */
function some(told: Told, chosen: readonly number[]): Told {
  const { width } = formOf(told);
  const rowsOf = (of: ArrayLike<number>, each: number): readonly number[] =>
    chosen.flatMap((i) => Array.from({ length: each }, (_, c) => of[i * each + c] ?? NaN));
  return {
    ...told,
    targets: rowsOf(told.targets, told.kind === "multiLabel" ? width : 1),
    predictions: rowsOf(told.predictions, width),
  };
}

function strataOf(told: Told, nameOf: (i: number) => string, order: readonly string[]): readonly Stratum[] {
  const members = new Map<string, number[]>(order.map((name) => [name, []]));
  for (let i = 0; i < formOf(told).rows; i++) members.get(nameOf(i))?.push(i);
  return [...members].flatMap(([name, chosen]): readonly Stratum[] =>
    chosen.length === 0
      ? []
      : [
          {
            name,
            rows: chosen.length,
            figures: chosen.length < FEWEST ? [] : figuresOf(some(told, chosen), { samples: FEW }),
          },
        ],
  );
}

/** By quarters of the lengths. */
export function byLength({ table, rows, told }: PartOfTable, column: string): readonly Stratum[] {
  const cells = table.column(column);
  const lengths = rows.map((row) => String(cells[row] ?? "").length);
  const sorted = [...lengths].sort((a, b) => a - b);
  const limits = [0.25, 0.5, 0.75].map((q) => sorted[Math.floor(q * (sorted.length - 1))] ?? 0);
  const [q1 = 0, q2 = 0, q3 = 0] = limits;
  const names = [`up to ${q1}`, `${q1 + 1} to ${q2}`, `${q2 + 1} to ${q3}`, `from ${q3 + 1}`];
  return strataOf(told, (i) => names[limits.findIndex((limit) => (lengths[i] ?? 0) <= limit)] ?? names[3] ?? "", names);
}

const SIMILARITIES = ["below 0.02", "0.02 to 0.3", "0.3 to 0.9", "0.9 and more"] as const;

/** By the Jaccard similarity of k-mers to the nearest sequence of the training part. */
export function byNearest(
  { table, rows, told }: PartOfTable,
  column: string,
  train: readonly number[],
  k: number,
): readonly Stratum[] {
  const cells = table.column(column);
  const text = (row: number): string => String(cells[row] ?? "").toUpperCase();
  const nearest = nearestOf(rows.map(text), train.map(text), k);
  const nameOf = (i: number): string => {
    const value = nearest[i] ?? 0;
    return SIMILARITIES[value < 0.02 ? 0 : value < 0.3 ? 1 : value < 0.9 ? 2 : 3];
  };
  return strataOf(told, nameOf, SIMILARITIES);
}

/** The largest Jaccard similarity of each sequence to any of the others, by an index of their k-mers. */
export function nearestOf(sequences: readonly string[], others: readonly string[], k: number): Float64Array {
  const kmersOf = (text: string): ReadonlySet<string> => {
    const found = new Set<string>();
    for (let i = 0; i + k <= text.length; i++) found.add(text.slice(i, i + k));
    return found;
  };
  const wanted = new Map<string, number[]>();
  const own = sequences.map(kmersOf);
  own.forEach((kmers, i) => {
    for (const kmer of kmers) {
      const places = wanted.get(kmer);
      if (places === undefined) wanted.set(kmer, [i]);
      else places.push(i);
    }
  });
  const nearest = new Float64Array(sequences.length);
  for (const text of others) {
    const kmers = kmersOf(text);
    const shared = new Map<number, number>();
    for (const kmer of kmers) for (const i of wanted.get(kmer) ?? []) shared.set(i, (shared.get(i) ?? 0) + 1);
    for (const [i, count] of shared) {
      const similarity = count / (kmers.size + (own[i]?.size ?? 0) - count);
      if (similarity > (nearest[i] ?? 0)) nearest[i] = similarity;
    }
  }
  return nearest;
}

/** Figures without an input: tokens as if there were none, numbers as their mean. */
export interface Ablation {
  readonly without: string;
  readonly figures: readonly Figure[];
}

export async function ablate(predictor: Predictor, { x, told }: PartOfTable): Promise<readonly Ablation[]> {
  const { inputs } = predictor.encoding;
  const ends = inputs.flatMap(({ role }, i) => (role === "start" || role === "end" ? [i] : []));
  const cases = [
    ...inputs.map(({ name }, i) => ({ without: name, chosen: [i] })),
    ...(ends.length > 1 && inputs.length > ends.length ? [{ without: "both ends", chosen: ends }] : []),
  ];
  if (inputs.length < 2) return [];
  const results: Ablation[] = [];
  for (const { without, chosen } of cases) {
    const changed = x.map((tensor, i) =>
      chosen.includes(i) ? new Tensor(tensor.data.slice().fill(0), tensor.shape, tensor.dtype) : tensor,
    );
    const { values } = await predictor.outputs(changed);
    results.push({ without, figures: figuresOf({ ...told, predictions: values }, { samples: FEW }) });
  }
  return results;
}

/** A row that the model is sure of, and wrong. */
export interface Mistake {
  readonly line: number;
  readonly actual: string;
  readonly told: string;
  readonly probability?: number;
  /** Of the inputs, shortened. */
  readonly row: string;
}

const HARDEST = 10;

export function hardest({ table, rows, told }: PartOfTable, predictor: Predictor): readonly Mistake[] {
  const { target, columns } = predictor.encoding;
  const width = predictor.width;
  const cost = (i: number): number => {
    const y = told.targets[i] ?? 0;
    if (told.kind === "multiLabel")
      return Array.from({ length: width }, (_, c) => i * width + c).reduce(
        (sum, at) => sum + Math.abs((told.targets[at] ?? 0) - (told.predictions[at] ?? 0)),
        0,
      );
    if (told.kind === "regression") return Math.abs(y - (told.predictions[i] ?? 0));
    if (told.kind === "binary") return Math.abs(y - (told.predictions[i] ?? 0));
    return 1 - (told.predictions[i * width + y] ?? 0);
  };
  const predictions = predictor.decode({ values: Float64Array.from(told.predictions) });
  const worst = rows.map((_, i) => i).sort((a, b) => cost(b) - cost(a));
  return worst.slice(0, HARDEST).map((i): Mistake => {
    const row = rows[i] ?? 0;
    const { label = "", probability } = predictions[i] ?? {};
    const actual =
      target.kind === "regression"
        ? String(told.targets[i])
        : target.kind === "multiLabel"
          ? target.labels.filter((_, c) => told.targets[i * width + c] === 1).join(";")
          : (target.labels[told.targets[i] ?? 0] ?? "");
    const shown = columns.slice(0, 4).map((column) => shortened(String(table.column(column)[row] ?? "")));
    return {
      line: table.lines[row] ?? row + 1,
      actual: shortened(actual),
      told: shortened(typeof label === "number" ? label.toPrecision(5) : label),
      ...(probability === undefined ? {} : { probability }),
      row: shown.join(" | "),
    };
  });
}

const shortened = (text: string): string => (text.length <= 48 ? text : `${text.slice(0, 30)}…${text.slice(-15)}`);

/** How much the answer changes where each letter is taken as unknown (occlusion, Zeiler and Fergus 2014). */
export interface LetterEffects {
  readonly line: number;
  readonly text: string;
  readonly told: number;
  /** What is told less what is told without the letter. */
  readonly effects: readonly number[];
}

const SHOWN = 3;
const LONGEST = 600;

export async function letterEffects(
  predictor: Predictor,
  { table, rows, told }: PartOfTable,
): Promise<readonly LetterEffects[]> {
  if (told.kind === "multiClass" || told.kind === "multiLabel") return [];
  const [column, kind] = Object.entries(kindsOf(predictor)).find(([, k]) => k in LETTERS) ?? [];
  if (column === undefined || kind === undefined) return [];
  const unknown = kind === "protein" ? "X" : "N";
  const { columns } = predictor.encoding;
  const cells = table.column(column);
  const fitting = rows.filter((row) => String(cells[row] ?? "").length <= LONGEST);
  const results: LetterEffects[] = [];
  for (let s = 0; s < Math.min(SHOWN, fitting.length); s++) {
    const row = fitting[Math.floor((s * fitting.length) / SHOWN)] ?? 0;
    const text = String(cells[row] ?? "").trim();
    const variants = [text, ...Array.from(text, (_, i) => text.slice(0, i) + unknown + text.slice(i + 1))];
    const place = columns.indexOf(column);
    const { x } = predictor.encoding.encodeCells(variants.length, (c, v) =>
      c === place ? (variants[v] ?? "") : (table.column(columns[c] ?? "")[row] ?? null),
    );
    const { values } = await predictor.outputs(x);
    const whole = values[0] ?? 0;
    results.push({
      line: table.lines[row] ?? row + 1,
      text,
      told: whole,
      effects: Array.from(values.slice(1), (value) => whole - value),
    });
  }
  return results;
}

const kindsOf = ({ encoding }: Predictor): Readonly<Record<string, string>> =>
  Object.fromEntries(encoding.toJSON().columns.map(({ name, encoder }) => [name, encoder.kind]));
