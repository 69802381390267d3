/** Does padding change anything? Masks from the embedding to the output, layer by layer. */
import type { Session } from "../backends/backend.js";
import { checkOptions, MaskError, numberIn, positiveInteger, seedOption } from "../errors.js";
import type { TensorOrList } from "../data/example.js";
import { formatError, PAGE, Report, wrap } from "../nn/inspect/report.js";
import type { Layer } from "../nn/layer.js";
import type { Network } from "../nn/network.js";
import { typeOf } from "../nn/inspect/call-tree.js";
import { mixKey, normalAt } from "../tensor/random.js";
import { lastOf, sizeOf } from "../tensor/shape.js";
import { arrayOf, Tensor } from "../tensor/tensor.js";
import { checkInputs } from "../train/check-data.js";
import { randomInputs } from "./data.js";
import { inputsOf } from "../train/model-data.js";
import type { AnyModel } from "../train/model.js";
import { type LayerResult, layerResults, withWeights } from "./session.js";
import { eachPlace, largestOf } from "./transforms.js";

/** Options of {@link checkMask}. */
export interface MaskCheckOptions {
  /** Sequences with padding behind them. Default: random ones of different lengths. */
  readonly x?: TensorOrList;
  /** Positions of padding that are appended, at least 1. Default 7. */
  readonly more?: number;
  /** Largest error that passes, by the layer's largest value, above 0. Default 1e-6. */
  readonly tolerance?: number;
  /** Of the inputs, where none are given, and of the padding's content. Default 0. */
  readonly seed?: number;
}

/** What becomes of the mask at a layer. */
export interface LayerMask {
  /** "block/conv1d". */
  readonly layer: string;
  readonly type: string;
  readonly masked: boolean;
  /** Largest value at a masked position, where there should be zeros; undefined without a mask. */
  readonly paddingValue: number | undefined;
  /** Largest change, by the largest value, where the vector of the padding (row 0 of the embedding) is changed. */
  readonly contentError: number | undefined;
  /** Largest change where padding is appended; undefined where the layer fits one length only, as dense behind flatten. */
  readonly lengthError: number | undefined;
  readonly passed: boolean;
}

/** What `checkMask` returns; prints as a table. */
export class MaskCheck extends Report {
  readonly passed: boolean;

  constructor(
    /** One for each application of a layer. */
    readonly rows: readonly LayerMask[],
    /** Positions of padding that were appended. */
    readonly more: number,
  ) {
    super();
    this.passed = rows.every((row) => row.passed);
  }

  /** Where padding begins to count. */
  get first(): LayerMask | undefined {
    // A block fails with the layer inside of it, which says more.
    const failed = this.rows.filter(({ passed }) => !passed);
    return failed.find(({ layer }) => !failed.some((other) => other.layer.startsWith(`${layer}/`)));
  }

  override toString(): string {
    const line = (cells: readonly string[]): string =>
      `${(cells[0] ?? "").padEnd(38)}${(cells[1] ?? "").padEnd(6)}${(cells[2] ?? "").padStart(9)}${(cells[3] ?? "").padStart(9)}${(cells[4] ?? "").padStart(10)}  ${cells[5] ?? ""}`.trimEnd();
    const name = ({ layer, type }: LayerMask): string => {
      const text = `${layer} (${type})`;
      return text.length < 38 ? text : layer.length < 38 ? layer : `…${layer.slice(-36)}`;
    };
    const { first } = this;
    const end =
      first === undefined
        ? "Passed: padding changes nothing."
        : `Failed: padding counts from ${first.layer} (${first.type}) on. Return masked(value, mask) from the layer, or say with dropMask() that it is meant.`;
    return [
      line(["Layer", "mask", "padding", "content", "appended"]),
      "=".repeat(PAGE),
      ...this.rows.map((row) =>
        line([
          name(row),
          row.masked ? "yes" : "",
          formatError(row.paddingValue),
          formatError(row.contentError),
          formatError(row.lengthError),
          row.passed ? "" : "FAILED",
        ]),
      ),
      "=".repeat(PAGE),
      ...wrap(end, PAGE),
    ].join("\n");
  }
}

interface Table {
  readonly layer: Layer;
}

/** Embeddings whose row 0 is padding, wherever they are. */
function maskedTables(layers: readonly Layer[]): Table[] {
  return layers.flatMap((layer) => [
    ...(layer.kind === "embedding" && "maskZero" in layer.options && layer.options.maskZero === true
      ? [{ layer }]
      : []),
    ...maskedTables(layer.children),
  ]);
}

const maskValueOf = (layers: readonly Layer[]): number =>
  layers
    .flatMap((layer) => [
      layer.kind === "masking" && "maskValue" in layer.options ? layer.options.maskValue : undefined,
      maskValueOf(layer.children) || undefined,
    ])
    .find((value) => typeof value === "number") ?? 0;

/** Positions appended along axis 1 of inputs that have one: token 0, or the value that masking looks for. */
function appended(x: Tensor, more: number, filling: number): Tensor {
  const [rows = 0, length = 0, ...rest] = x.shape;
  const [from, to] = [length * sizeOf(rest), (length + more) * sizeOf(rest)];
  const data = arrayOf(x.dtype, rows * to).fill(x.dtype === "int32" ? 0 : filling);
  for (let row = 0; row < rows; row++) data.set(x.data.subarray(row * from, (row + 1) * from), row * to);
  return new Tensor(data, [rows, length + more, ...rest], x.dtype);
}

/** Largest difference, by the largest value; what one of them has beyond the other should be zero. */
function differenceOf(a: Tensor, b: Tensor): number {
  const shape = a.shape.map((n, axis) => Math.max(n, b.shape[axis] ?? 0));
  const [left, right] = [reader(a), reader(b)];
  let most = 0;
  eachPlace(shape, (_, at) => {
    most = Math.max(most, Math.abs(left(at) - right(at)));
  });
  return most / Math.max(largestOf(a), 1e-12);
}

/** The element at the coordinates, zero outside. */
function reader({ shape, data }: Tensor): (at: readonly number[]) => number {
  return (at) => {
    let place = 0;
    for (const [axis, n] of shape.entries()) {
      const i = at[axis] ?? 0;
      if (i >= n) return 0;
      place = place * n + i;
    }
    return data[place] ?? 0;
  };
}

/** Largest value where the mask is false. */
function paddingValue({ value, mask }: LayerResult): number | undefined {
  if (mask === undefined) return undefined;
  const each = sizeOf(value.shape) / sizeOf(mask.shape);
  const beyond = value.data.map((v, i) => (mask.data[Math.floor(i / each)] === 0 ? v : 0));
  return largestOf(new Tensor(beyond, value.shape, value.dtype));
}

/** Overwrites row 0 of the tables with numbers that nobody could overlook. */
async function changePadding(session: Session, tables: readonly Table[], seed: number): Promise<void> {
  for (const { layer } of tables) {
    for (const { state } of layer.weights.values()) {
      const held = await session.read(state);
      const width = lastOf(held.shape);
      const data = Float64Array.from(held.data, (value, i) =>
        i < width ? 3 + normalAt(mixKey(seed, 1, 0), i) : value,
      );
      await session.write(state, new Tensor(data, held.shape, "float64"));
    }
  }
}

/** Results by the layer's path and how often it was applied before. */
function keyed(results: readonly LayerResult[]): Map<string, LayerResult> {
  const counts = new Map<string, number>();
  return new Map(
    results.map((result) => {
      const count = counts.get(result.layer) ?? 0;
      counts.set(result.layer, count + 1);
      return [`${result.layer} ${count}`, result];
    }),
  );
}

/**
 * Checks that padding counts for nothing: that masked positions are zero after each layer, that the vector of the padding
 * changes no result, and that more padding changes none. Layers that fit one length only, such as dense behind flatten, are
 * left out of the last.
 *
 * A layer of its own that ends the mask (`endsMask`) before it has dealt with padding is found, and where. One exception is
 * known: windows with `padding: "same"` and a stride above 1 are aligned by the padded length. Computed in float64, in
 * inference, at the model's weights as they are.
 *
 * @throws MaskError where no layer has a mask; OptionError for options out of range; DataError for data that the model
 * cannot take.
 * @example
 * import { checkMask, conv1d, dense, embedding, globalMaxPooling1d, input, sequential } from "torte";
 * const model = sequential(
 *   input({ shape: [30], dtype: "int32" }),
 *   embedding({ inputDim: 21, outputDim: 8, maskZero: true }),
 *   conv1d({ filters: 8, kernelSize: 3, activation: "relu" }),
 *   globalMaxPooling1d(),
 *   dense({ units: 1 }),
 * );
 * console.log((await checkMask(model)).passed); // true
 */
export async function checkMask(model: AnyModel, options: MaskCheckOptions = {}): Promise<MaskCheck> {
  const where = "checkMask";
  checkOptions(where, options, ["x", "more", "tolerance", "seed"]);
  const more = positiveInteger(where, "more", options.more ?? 7);
  const tolerance = numberIn(where, "tolerance", options.tolerance ?? 1e-6, { above: 0 });
  const seed = seedOption(where, options.seed ?? 0);
  const { network } = model;
  const filling = maskValueOf(network.layers);
  const x = options.x === undefined ? paddedInputs(network, seed, filling) : inputsOf(network, options.x, "checkMask");
  checkInputs(network, x);
  const tables = maskedTables(network.layers);
  return withWeights(model, async (session) => {
    const plain = await layerResults(network, session, x);
    if (plain.every(({ mask }) => mask === undefined)) {
      throw new MaskError({
        where,
        problem: "no layer of the model has a mask",
        fix: "Set maskZero: true in its embedding, or put masking() behind its input.",
      });
    }
    const long = keyed(
      await layerResults(
        network,
        session,
        x.map((input) => appended(input, more, filling)),
      ),
    );
    await changePadding(session, tables, seed);
    const changed = keyed(await layerResults(network, session, x));
    const rows = [...keyed(plain)].map(([key, result]): LayerMask => {
      const [other, longer] = [changed.get(key), long.get(key)];
      const errors = {
        paddingValue: paddingValue(result),
        contentError: tables.length === 0 || other === undefined ? undefined : differenceOf(result.value, other.value),
        lengthError: longer === undefined ? undefined : differenceOf(result.value, longer.value),
      };
      const passed = Object.values(errors).every((error) => error === undefined || error <= tolerance);
      const { layer, call, mask } = result;
      return { layer, type: typeOf(call.layer), masked: mask !== undefined, ...errors, passed };
    });
    return new MaskCheck(rows, more);
  });
}

/** Three sequences: a full one, one of two thirds, one of a half; behind them padding. */
function paddedInputs(network: Network, seed: number, filling: number): Tensor[] {
  const share = [1, 2 / 3, 1 / 2];
  const content = ([first = 0]: readonly number[], row: number, [length = 1]: readonly number[]): boolean =>
    first < Math.ceil(length * (share[row] ?? 1));
  const inputs = randomInputs(network, share.length, seed, content);
  if (filling === 0) return inputs;
  return inputs.map((x) => {
    const [, length = 1, ...rest] = x.shape;
    if (x.dtype === "int32" || rest.length === 0) return x;
    const data = x.data.map((value, i) => {
      const place = Math.floor(i / sizeOf(rest));
      return content([place % length], Math.floor(place / length), [length]) ? value : filling;
    });
    return new Tensor(data, x.shape, x.dtype);
  });
}
