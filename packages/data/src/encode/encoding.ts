/** From the rows of a table to the inputs and targets of a model. */
import { type Cell, type ColumnKind, DataError, isRecord, show, type Table, Tensor, Tokenizer } from "torte";
import type { ColumnDescription, ColumnEncoder, TokenInput } from "./column.js";
import { ImageEncoder } from "./images.js";
import { CategoryEncoder, NumberEncoder } from "./numbers.js";
import type { TablePlan } from "./plan.js";
import { LetterEncoder, type LetterKind, TextEncoder } from "./sequences.js";
import { encodeTarget, fitTarget, type TargetEncoding } from "./target.js";

/** An input of a model, in the order in which `encode` gives them. */
export interface EncodedInput {
  readonly name: string;
  readonly role: "features" | TokenInput["role"];
  readonly shape: readonly number[];
  /** What the model takes it for; images come as bytes, 0 to 255. */
  readonly dtype: "float32" | "int32";
  /** Of tokens: how many different numbers there are, 0 for none included. */
  readonly vocabulary?: number;
  /** Of tokens: the column. */
  readonly column?: string;
}

/** What is wrong with a row. */
export interface RowProblem {
  readonly row: number;
  readonly column: string;
  readonly problem: string;
}

/** Rows of a table as tensors. */
export interface EncodedRows {
  readonly x: readonly Tensor[];
  /** Rows that cannot be encoded; theirs are zeros in x. */
  readonly problems: readonly RowProblem[];
}

/** The encoding of a table as plain JSON. */
export interface EncodingDescription {
  readonly format: "torte-encoding";
  readonly version: 1;
  readonly columns: readonly { readonly name: string; readonly encoder: ColumnDescription }[];
  readonly shift: readonly number[];
  readonly scale: readonly number[];
  readonly target: TargetEncoding;
}

interface Column {
  readonly name: string;
  readonly encoder: ColumnEncoder;
}

/** Numbers on a common scale: (x − shift) / scale. */
interface Scale {
  readonly shift: Float64Array;
  readonly scale: Float64Array;
}

/** Options of fitting an encoding. */
export interface FitOptions {
  /** Letters that are none of a sequence are taken as unknown ones. Default false: such rows cannot be encoded. */
  readonly lenient?: boolean;
  /** Of two classes, the label that the probability is of. Default: the second one in their order. */
  readonly positive?: string;
  /** Columns are encoded as this encoding does, which was fitted to other rows; the target is fitted anew. */
  readonly like?: TableEncoding;
}

/** How the rows of a table become inputs and targets: fitted on the training part, kept with the model. */
export class TableEncoding {
  readonly target: TargetEncoding;
  readonly inputs: readonly EncodedInput[];
  readonly #columns: readonly Column[];
  readonly #scale: Scale;
  readonly #features: number;

  private constructor(columns: readonly Column[], scale: Scale, target: TargetEncoding) {
    this.#columns = columns;
    this.#scale = scale;
    this.target = target;
    this.#features = columns.reduce((sum, { encoder }) => sum + encoder.features, 0);
    this.inputs = [
      ...(this.#features === 0
        ? []
        : [{ name: "features", role: "features", shape: [this.#features], dtype: "float32" } as const]),
      ...columns.flatMap(({ name, encoder }, c) =>
        encoder.tokens.map(({ role, length, shape = [length], vocabulary }): EncodedInput => ({
          name: `${role}${columns.length > 1 ? `_${c + 1}` : ""}`,
          role,
          shape,
          column: name,
          ...(role === "image" ? { dtype: "float32" } : { dtype: "int32", vocabulary }),
        })),
      ),
    ];
  }

  /** Fits everything to these rows of the table: those of the training part, and no others. */
  static fit(table: Table, plan: TablePlan, rows: readonly number[], options: FitOptions = {}): TableEncoding {
    return TableEncoding.fitAndEncode(table, plan, rows, options).encoding;
  }

  /** The same with the rows encoded, which fitting does anyway. */
  static fitAndEncode(
    table: Table,
    plan: TablePlan,
    rows: readonly number[],
    options: FitOptions = {},
  ): { readonly encoding: TableEncoding; readonly encoded: EncodedRows } {
    const whole = (encoding: TableEncoding): ReturnType<typeof TableEncoding.fitAndEncode> => ({
      encoding,
      encoded: encoding.encode(table, rows),
    });
    const cellsOf = (name: string): readonly Cell[] => {
      const cells = table.column(name);
      return rows.map((row) => cells[row] ?? null);
    };
    const target = fitTarget(plan.target, plan.targetKind, cellsOf(plan.target), options.positive);
    const { like } = options;
    if (like !== undefined) return whole(new TableEncoding(like.#columns, like.#scale, target));
    const columns = fitColumns(plan, cellsOf, options.lenient ?? false);
    const width = columns.reduce((sum, { encoder }) => sum + encoder.features, 0);
    const raw = new TableEncoding(columns, identityScale(width), target);
    const encoded = raw.encode(table, rows);
    const [features] = encoded.x;
    if (width === 0 || features === undefined) return { encoding: raw, encoded };
    const bad = new Set(encoded.problems.map(({ row }) => row));
    const good = rows.flatMap((row, i) => (bad.has(row) ? [] : [i]));
    const encoding = new TableEncoding(columns, scaleOf(features.data, width, good), target);
    encoding.#standardize(features.data as Float32Array);
    return { encoding, encoded };
  }

  /** What is wrong with rows, whatever an encoding is fitted to. */
  static problems(table: Table, plan: TablePlan, rows: readonly number[], lenient: boolean): readonly RowProblem[] {
    const cellsOf = (name: string): readonly Cell[] => table.column(name);
    const columns = fitColumns(plan, cellsOf, lenient);
    const width = columns.reduce((sum, { encoder }) => sum + encoder.features, 0);
    const target = { kind: "multiClass", column: plan.target, labels: [] } as const;
    const raw = new TableEncoding(columns, identityScale(width), target);
    return raw.problems(table, rows);
  }

  /** What is wrong with rows; of each the first column that something is wrong with. */
  problems(table: Table, rows: readonly number[]): readonly RowProblem[] {
    const quick = this.#columns.every(({ encoder }) => encoder.problem !== undefined);
    if (!quick) return blocksOf(rows).flatMap((block) => this.encode(table, block).problems);
    const columns = this.#columns.map(({ name, encoder }) => ({ name, encoder, cells: table.column(name) }));
    return rows.flatMap((row) => {
      for (const { name, encoder, cells } of columns) {
        const problem = encoder.problem?.(cells[row] ?? null);
        if (problem !== undefined) return [{ row, column: name, problem }];
      }
      return [];
    });
  }

  /** What each column holds. */
  get kinds(): Readonly<Record<string, ColumnKind>> {
    return Object.fromEntries(this.#columns.map(({ name, encoder }) => [name, encoder.toJSON().kind as ColumnKind]));
  }

  /** The columns that are read. */
  get columns(): readonly string[] {
    return this.#columns.map(({ name }) => name);
  }

  /** The inputs of these rows of a table. */
  encode(table: Table, rows: readonly number[]): EncodedRows {
    const cells = this.#columns.map(({ name }) => table.column(name));
    const { x, problems } = this.encodeCells(rows.length, (column, i) => cells[column]?.[rows[i] ?? -1] ?? null);
    return { x, problems: problems.map((problem) => ({ ...problem, row: rows[problem.row] ?? problem.row })) };
  }

  /** The inputs of rows whose cells are asked for one by one, the column by its place in `columns`. */
  encodeCells(count: number, cellOf: (column: number, row: number) => Cell): EncodedRows {
    const width = this.#features;
    const features = new Float32Array(count * width);
    const tokens = this.#columns.map(({ encoder }) =>
      encoder.tokens.map(({ role, length }) => new (role === "image" ? Uint8Array : Int32Array)(count * length)),
    );
    const problems: RowProblem[] = [];
    for (let row = 0; row < count; row++) {
      let at = row * width;
      for (const [c, { name, encoder }] of this.#columns.entries()) {
        const problem = encoder.encode(cellOf(c, row), features, at, tokens[c] ?? [], row);
        at += encoder.features;
        if (problem === undefined) continue;
        problems.push({ row, column: name, problem });
        features.fill(0, row * width, (row + 1) * width);
        break;
      }
      this.#standardize(features, row * width, (row + 1) * width);
    }
    const x = [
      ...(width === 0 ? [] : [new Tensor(features, [count, width], "float32")]),
      ...this.#columns.flatMap(({ encoder }, c) =>
        encoder.tokens.map(({ role, length, shape = [length] }, t) => {
          const dtype = role === "image" ? "uint8" : "int32";
          return new Tensor(tokens[c]?.[t] ?? new Int32Array(), [count, ...shape], dtype);
        }),
      ),
    ];
    return { x, problems };
  }

  /** The targets of these rows. @throws DataError for a class that the training part does not have. */
  encodeTarget(table: Table, rows: readonly number[]): Tensor {
    const cells = table.column(this.target.column);
    return encodeTarget(
      this.target,
      rows.map((row) => cells[row] ?? null),
    );
  }

  /** Rows of numbers, from a place to another. */
  #standardize(features: Float32Array, from = 0, to = features.length): void {
    const { shift, scale } = this.#scale;
    const width = this.#features;
    for (let at = from; width > 0 && at < to; at += width)
      for (let j = 0; j < width; j++) features[at + j] = ((features[at + j] ?? 0) - (shift[j] ?? 0)) / (scale[j] ?? 1);
  }

  toJSON(): EncodingDescription {
    const { shift, scale } = this.#scale;
    return {
      format: "torte-encoding",
      version: 1,
      columns: this.#columns.map(({ name, encoder }) => ({ name, encoder: encoder.toJSON() })),
      shift: [...shift],
      scale: [...scale],
      target: this.target,
    };
  }

  /** @throws DataError for what `toJSON` did not give. */
  static fromJSON(value: unknown): TableEncoding {
    const wrong = (): never => {
      throw new DataError({
        where: "TableEncoding",
        problem: "this is no encoding of a table",
        expected: "what its toJSON gives",
        received: show(value),
      });
    };
    if (!isRecord(value) || value["format"] !== "torte-encoding" || value["version"] !== 1) return wrong();
    const { columns, shift, scale, target } = value;
    if (!Array.isArray(columns) || !isNumbers(shift) || !isNumbers(scale) || !isTarget(target)) return wrong();
    const read = columns.map((column: unknown): Column => {
      const { name, encoder } = isRecord(column) ? column : {};
      return { name: typeof name === "string" ? name : wrong(), encoder: columnOf(encoder) ?? wrong() };
    });
    const width = read.reduce((sum, { encoder }) => sum + encoder.features, 0);
    if (shift.length !== width || scale.length !== width) return wrong();
    return new TableEncoding(read, { shift: Float64Array.from(shift), scale: Float64Array.from(scale) }, target);
  }
}

const isNumbers = (value: unknown): value is readonly number[] => Array.isArray(value) && value.every(Number.isFinite);
const isStrings = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((item) => typeof item === "string");

function isTarget(value: unknown): value is TargetEncoding {
  if (!isRecord(value) || typeof value["column"] !== "string") return false;
  if (value["kind"] === "regression") return isNumbers([value["mean"], value["deviation"]]);
  return ["binary", "multiClass", "multiLabel"].includes(String(value["kind"])) && isStrings(value["labels"]);
}

/** Rows in parts that take little memory. */
function blocksOf(rows: readonly number[]): readonly (readonly number[])[] {
  const size = 4096;
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, i) => rows.slice(i * size, (i + 1) * size));
}

const fitColumns = (
  { inputs }: TablePlan,
  cellsOf: (name: string) => readonly Cell[],
  lenient: boolean,
): readonly Column[] =>
  Object.entries(inputs).map(([name, kind]) => ({ name, encoder: fitColumn(kind, cellsOf(name), lenient) }));

/** How a column of each kind is fitted. */
function fitColumn(kind: ColumnKind, cells: readonly Cell[], lenient: boolean): ColumnEncoder {
  switch (kind) {
    case "number":
      return NumberEncoder.fit(cells);
    case "category":
      return CategoryEncoder.fit(cells);
    case "image":
      return ImageEncoder.fit(cells);
    case "SMILES":
    case "text":
      return TextEncoder.fit(kind, cells);
    case "protein":
    case "DNA":
    case "RNA":
      return LetterEncoder.fit(kind, cells, lenient);
  }
}

/** A column's encoder from its description; undefined for what is none. */
function columnOf(description: unknown): ColumnEncoder | undefined {
  if (!isRecord(description)) return undefined;
  const { kind, mean, gaps, values, k, pieces, ends, whole, lenient, length } = description;
  if (kind === "number" && Number.isFinite(mean) && typeof gaps === "boolean")
    return new NumberEncoder(mean as number, gaps);
  if (kind === "category" && isStrings(values)) return new CategoryEncoder(values);
  const { height, width, channels, dtype } = description;
  const side = (n: unknown): n is number => Number.isInteger(n) && Number(n) >= 1 && Number(n) <= 4096;
  // Models that were trained on numbers from 0 to 1 would take bytes for something else.
  if (kind === "image" && dtype === "uint8" && side(height) && side(width) && (channels === 1 || channels === 3))
    return new ImageEncoder(height, width, channels);
  const small = (n: unknown, most: number): n is number => Number.isInteger(n) && Number(n) >= 0 && Number(n) <= most;
  if ((kind === "SMILES" || kind === "text") && small(length, 4096) && length > 0)
    return new TextEncoder(kind, Tokenizer.fromJSON(description["tokenizer"]), length);
  const isLetters = kind === "protein" || kind === "DNA" || kind === "RNA";
  const sizes = small(k, 6) && k > 0 && small(pieces, 64) && small(ends, 4096) && small(whole, 4096);
  if (isLetters && sizes && typeof lenient === "boolean")
    return new LetterEncoder(kind satisfies LetterKind, { k, pieces, ends, whole }, lenient);
  return undefined;
}

const identityScale = (width: number): Scale => ({
  shift: new Float64Array(width),
  scale: new Float64Array(width).fill(1),
});

/** Mean and standard deviation of each number over these rows; 1 for what is constant. */
function scaleOf(values: ArrayLike<number>, width: number, rows: readonly number[]): Scale {
  const [shift, scale] = [new Float64Array(width), new Float64Array(width)];
  const n = Math.max(1, rows.length);
  for (const row of rows)
    for (let j = 0; j < width; j++) shift[j] = (shift[j] ?? 0) + (values[row * width + j] ?? 0) / n;
  for (const row of rows)
    for (let j = 0; j < width; j++)
      scale[j] = (scale[j] ?? 0) + ((values[row * width + j] ?? 0) - (shift[j] ?? 0)) ** 2 / n;
  // Of rounding, what is constant may have a little deviation.
  return { shift, scale: scale.map((v, j) => (v > 1e-12 * (1 + (shift[j] ?? 0) ** 2) ? Math.sqrt(v) : 1)) };
}
