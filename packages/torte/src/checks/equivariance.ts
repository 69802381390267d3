/** What a model does with its input moved, beside its result moved: equivariance and invariance, layer by layer. */
import type { TensorOrList } from "../data/example.js";
import { checkOptions, numberIn, oneOf, OptionError, positiveInteger, seedOption, show } from "../errors.js";
import { follow } from "../nn/inspect/explain.js";
import type { Field, Track } from "../nn/inspect/receptive-field.js";
import type { Network } from "../nn/network.js";
import { formatError, PAGE, Report, wrap } from "../nn/inspect/report.js";
import { typeOf } from "../nn/inspect/call-tree.js";
import { formatShape, sameShape } from "../tensor/shape.js";
import { mixKey, shuffle } from "../tensor/random.js";
import type { Tensor } from "../tensor/tensor.js";
import { checkInputs } from "../train/check-data.js";
import { randomInputs } from "./data.js";
import { inputsOf } from "../train/model-data.js";
import type { AnyModel } from "../train/model.js";
import { type LayerResult, layerResults, withWeights } from "./session.js";
import { eachPlace, largestOf, reordered, shifted, turned } from "./transforms.js";

/** Options of {@link checkEquivariance}. */
export interface EquivarianceOptions {
  /**
   * "shift" moves the content along an axis, zeros coming after it; "permute" puts the positions of a sequence into another
   * order; "rotate90" turns square images by a quarter.
   */
  readonly transform: "shift" | "permute" | "rotate90";
  /** For shift: by how many positions of the input. Default: the product of all strides, which every layer can follow. */
  readonly by?: number;
  /** For shift and permute: the axis of the input, counted with the batch as axis 0. Default 1. */
  readonly axis?: number;
  /** Default: random numbers or tokens, for shift in the middle of zeros. */
  readonly x?: TensorOrList;
  /** Largest error that passes, by the layer's largest value, above 0. Default 1e-6. */
  readonly tolerance?: number;
  /** Of the inputs, where none are given, and of the order. Default 0. */
  readonly seed?: number;
}

/**
 * "equivariant": the result moves with the input, everywhere; "inside": where a layer sees nothing beyond the borders of
 * the input; "invariant": the result has no positions left and stays the same; "changes": none of these; "no multiple": the
 * shift is no multiple of the layer's step, so that its positions cannot follow; "no counterpart": positions of the result
 * are not positions of the input.
 */
export type EquivarianceVerdict = "equivariant" | "inside" | "invariant" | "changes" | "no multiple" | "no counterpart";

/** What a shift of the input does to a layer's result. */
export interface LayerEquivariance {
  /** "block/conv1d". */
  readonly layer: string;
  readonly type: string;
  readonly verdict: EquivarianceVerdict;
  /** Shifts that its positions can follow are multiples of this: the product of the strides; undefined without positions. */
  readonly step: number | undefined;
  /** Largest error by the largest value, where the layer sees nothing beyond the borders; undefined where there is no such place. */
  readonly interiorError: number | undefined;
  /** The same for all other places. */
  readonly edgeError: number | undefined;
}

/** What `checkEquivariance` returns; prints as a table. */
export class EquivarianceCheck extends Report {
  /** The model's output is equivariant, at least inside, or invariant. */
  readonly passed: boolean;

  constructor(
    readonly transform: EquivarianceOptions["transform"],
    /** For shift: how far. */
    readonly by: number | undefined,
    /** One for each application of a layer. */
    readonly rows: readonly LayerEquivariance[],
    /** Of the model's output, the first where there are several. */
    readonly whole: LayerEquivariance,
    /** Shifts by multiples of it can be followed by every layer that has positions. */
    readonly multiple: number,
  ) {
    super();
    this.passed = passing(whole.verdict);
  }

  override toString(): string {
    const line = (cells: readonly string[]): string =>
      `${(cells[0] ?? "").padEnd(40)}${(cells[1] ?? "").padStart(5)}${(cells[2] ?? "").padStart(10)}${(cells[3] ?? "").padStart(10)}  ${cells[4] ?? ""}`.trimEnd();
    const name = ({ layer, type }: LayerEquivariance): string => {
      const text = `${layer} (${type})`;
      return text.length < 40 ? text : layer.length < 40 ? layer : `…${layer.slice(-38)}`;
    };
    const moved = this.by === undefined ? this.transform : `${this.transform} by ${this.by}`;
    const multiples =
      this.transform === "shift" && this.multiple > 1
        ? [`Layers with strides follow shifts by multiples of ${this.multiple} only.`]
        : [];
    return [
      line([`Input: ${moved}`, "step", "inside", "edge", "result"]),
      "=".repeat(PAGE),
      ...this.rows.map((row) =>
        line([
          name(row),
          row.step === undefined ? "-" : String(Number(row.step.toFixed(2))),
          formatError(row.interiorError),
          formatError(row.edgeError),
          row.verdict,
        ]),
      ),
      "=".repeat(PAGE),
      ...wrap(`The model's output: ${MEANINGS[this.whole.verdict]}.`, PAGE),
      ...multiples,
    ].join("\n");
  }
}

const MEANINGS: Readonly<Record<EquivarianceVerdict, string>> = {
  equivariant: "equivariant, it moves with the input everywhere",
  inside: "equivariant inside, where nothing beyond the borders of the input is seen",
  invariant: "invariant, it stays the same",
  changes: "it changes in another way than the input",
  "no multiple": "not comparable, since the shift is no multiple of its step",
  "no counterpart": "not comparable, since its positions are not those of the input",
};

const passing = (verdict: EquivarianceVerdict): boolean => ["equivariant", "inside", "invariant"].includes(verdict);

/** One way of moving: the inputs, and what a layer's result should have become. */
interface Motion {
  readonly by: number | undefined;
  readonly move: (x: Tensor) => Tensor;
  /** Undefined where the result has no axes that could have moved; a verdict where they cannot be compared. */
  readonly expected: (result: Tensor, track: Track) => Expectation | EquivarianceVerdict | undefined;
}

interface Expectation {
  readonly value: Tensor;
  /** 0 where there is nothing to compare with, 1 at the edge, 2 inside. */
  readonly zone: (at: readonly number[]) => 0 | 1 | 2;
}

/** The window of input positions that position `at` of a result sees lies within the input. */
const within = ({ start, step, size, total, everywhere }: Field, at: number): boolean => {
  const from = Math.floor(start + at * step);
  return everywhere !== true && from >= 0 && from + Math.ceil(size) <= total;
};

const alongAxis = ({ fields }: Track, name: string): (Field & { readonly axis: number }) | undefined => {
  const field = fields.find((one) => one.name === name && one.axis !== undefined);
  return field?.axis === undefined ? undefined : { ...field, axis: field.axis };
};

function shifting(axis: number, name: string, by: number): Motion {
  return {
    by,
    move: (x) => (axis < x.shape.length ? shifted(x, axis, by) : x),
    expected: (result, track) => {
      const field = alongAxis(track, name);
      if (field === undefined) return undefined;
      const positions = by / field.step;
      if (!Number.isInteger(positions)) return "no multiple";
      const length = result.shape[field.axis] ?? 0;
      const zone = (at: readonly number[]): 0 | 1 | 2 => {
        const here = at[field.axis] ?? 0;
        const there = here - positions;
        if (there < 0 || there >= length) return 0;
        return within(field, here) && within(field, there) ? 2 : 1;
      };
      return { value: shifted(result, field.axis, positions), zone };
    },
  };
}

function permuting(axis: number, name: string, order: readonly number[]): Motion {
  return {
    by: undefined,
    move: (x) => (axis < x.shape.length ? reordered(x, axis, order) : x),
    expected: (result, track) => {
      const field = alongAxis(track, name);
      if (field === undefined) return undefined;
      if (field.step !== 1 || result.shape[field.axis] !== order.length) return "no counterpart";
      return {
        value: reordered(result, field.axis, order),
        zone: (at) => (within(field, at[field.axis] ?? 0) ? 2 : 1),
      };
    },
  };
}

function turning(): Motion {
  return {
    by: undefined,
    move: (x) => turned(x, [1, 2]),
    expected: (result, track) => {
      const [rows, columns] = [alongAxis(track, "height"), alongAxis(track, "width")];
      if (rows === undefined || columns === undefined) return (rows ?? columns) ? "no counterpart" : undefined;
      const n = result.shape[rows.axis] ?? 0;
      if (n !== result.shape[columns.axis]) return "no counterpart";
      const inside = (i: number, j: number): boolean => within(rows, i) && within(columns, j);
      const zone = (at: readonly number[]): 1 | 2 => {
        const [i, j] = [at[rows.axis] ?? 0, at[columns.axis] ?? 0];
        return inside(i, j) && inside(j, n - 1 - i) ? 2 : 1;
      };
      return { value: turned(result, [rows.axis, columns.axis]), zone };
    },
  };
}

/** Names the moved axis and checks that the inputs have it. */
function motionFor(network: Network, tracks: readonly Track[], options: EquivarianceOptions, seed: number): Motion {
  const where = "checkEquivariance";
  const [spec] = network.inputSpecs;
  const shape = spec?.shape ?? [];
  const positions = spec?.dtype === "int32" ? shape.length : shape.length - 1;
  const name = (axis: number): string => {
    const names = positions === 1 ? ["length"] : positions === 2 ? ["height", "width"] : ["depth", "height", "width"];
    if (axis <= positions && names[axis - 1] !== undefined) return names[axis - 1] ?? "";
    throw new OptionError({
      where,
      problem: `the input has no axis of positions to ${options.transform}`,
      expected: positions < 1 ? "an input of sequences or images" : `axis 1…${positions}`,
      received: `axis ${axis} of ${formatShape([null, ...shape])}`,
    });
  };
  if (options.transform === "rotate90") {
    name(2);
    if (shape[0] !== shape[1] || positions !== 2) {
      const received = formatShape([null, ...shape]);
      throw new OptionError({
        where,
        problem: "only square images can be turned",
        expected: "height = width",
        received,
      });
    }
    return turning();
  }
  const axis = positiveInteger(where, "axis", options.axis ?? 1);
  const along = name(axis);
  if (options.transform === "permute") {
    const order = shuffle(
      Int32Array.from({ length: shape[axis - 1] ?? 0 }, (_, i) => i),
      mixKey(seed, 1, 0),
    );
    return permuting(axis, along, [...order]);
  }
  const by: unknown = options.by ?? multipleOf(tracks, along);
  if (typeof by !== "number" || !Number.isInteger(by) || by === 0 || Math.abs(by) >= (shape[axis - 1] ?? 0)) {
    const expected = `a whole number, not 0, below ${shape[axis - 1] ?? 0}`;
    throw new OptionError({ where, problem: "by is out of range", expected, received: show(by) });
  }
  return shifting(axis, along, by);
}

/** The smallest shift that every layer with positions can follow. */
function multipleOf(tracks: readonly Track[], name?: string): number {
  const steps = tracks.flatMap(({ fields }) =>
    fields.flatMap((field) => (field.axis === undefined || (name ?? field.name) !== field.name ? [] : [field.step])),
  );
  const common = (a: number, b: number): number => (b < 1e-9 ? a : common(b, a % b));
  return steps.filter(Number.isInteger).reduce((all, step) => (all * step) / common(all, step), 1);
}

function compare(
  before: LayerResult,
  after: LayerResult,
  track: Track,
  motion: Motion,
  tolerance: number,
): LayerEquivariance {
  const { layer, call } = before;
  const step = track.fields.find(({ axis }) => axis !== undefined)?.step;
  const row = { layer, type: typeOf(call.layer), step };
  const expected = motion.expected(before.value, track);
  if (typeof expected === "string")
    return { ...row, verdict: expected, interiorError: undefined, edgeError: undefined };
  const { value, zone } = expected ?? { value: before.value, zone: () => 2 as const };
  if (!sameShape(value.shape, after.value.shape)) {
    return { ...row, verdict: "no counterpart", interiorError: undefined, edgeError: undefined };
  }
  const largest = Math.max(largestOf(before.value), 1e-12);
  const errors: (number | undefined)[] = [undefined, undefined, undefined];
  eachPlace(value.shape, (i, at) => {
    const error = Math.abs((value.data[i] ?? 0) - (after.value.data[i] ?? 0)) / largest;
    errors[zone(at)] = Math.max(errors[zone(at)] ?? 0, error);
  });
  const [, edgeError, interiorError] = errors;
  const fine = (error: number | undefined): boolean => error === undefined || error <= tolerance;
  const verdict = ((): EquivarianceVerdict => {
    if (!fine(interiorError)) return "changes";
    if (expected === undefined) return "invariant";
    if (fine(edgeError)) return "equivariant";
    return interiorError === undefined ? "changes" : "inside";
  })();
  return { ...row, verdict, interiorError, edgeError };
}

/**
 * Moves the inputs and compares what every layer then gives with what it gave before, moved likewise: is the model
 * equivariant (its result moves with the input) or invariant (its result stays)?
 *
 * Errors are told apart for the inside, where a layer sees nothing beyond the borders of the input, and the edge. A layer
 * with strides can follow only shifts by multiples of its step. Computed in float64, in inference, at the model's weights as
 * they are.
 *
 * @throws OptionError for options out of range, or an input without the axis; DataError for data that the model cannot take.
 * @example
 * import { checkEquivariance, conv1d, globalMaxPooling1d, input, maxPooling1d, sequential } from "torte";
 * const convolution = sequential(input({ shape: [60, 3] }), conv1d({ filters: 4, kernelSize: 5 }), maxPooling1d());
 * const shift = await checkEquivariance(convolution, { transform: "shift" });
 * console.log(shift.whole.verdict, shift.multiple); // equivariant 2
 * const pooled = sequential(input({ shape: [60, 3] }), conv1d({ filters: 4, kernelSize: 5 }), globalMaxPooling1d());
 * console.log((await checkEquivariance(pooled, { transform: "shift" })).whole.verdict); // invariant
 */
export async function checkEquivariance(model: AnyModel, options: EquivarianceOptions): Promise<EquivarianceCheck> {
  const where = "checkEquivariance";
  checkOptions(where, options, ["transform", "by", "axis", "x", "tolerance", "seed"]);
  const transform = oneOf(where, "transform", options.transform, ["shift", "permute", "rotate90"]);
  const tolerance = numberIn(where, "tolerance", options.tolerance ?? 1e-6, { above: 0 });
  const seed = seedOption(where, options.seed ?? 0);
  const { network } = model;
  const tracks = follow(network);
  const motion = motionFor(network, tracks, options, seed);
  const x = options.x === undefined ? inputsFor(network, transform, seed) : inputsOf(network, options.x, where);
  checkInputs(network, x);
  return withWeights(model, async (session) => {
    const before = await layerResults(network, session, x);
    const after = await layerResults(network, session, x.map(motion.move));
    const rows = before.flatMap((result, i) => {
      const [other, track] = [after[i], tracks[i]];
      return other === undefined || track === undefined ? [] : [compare(result, other, track, motion, tolerance)];
    });
    const output = network.outputs[0]?.producer.layer.where;
    const whole = rows.findLast(({ layer }) => layer === output);
    if (whole === undefined) throw new OptionError({ where, problem: "the model has no layers" });
    return new EquivarianceCheck(transform, motion.by, rows, whole, multipleOf(tracks));
  });
}

/** For a shift, the content lies in the middle third, so that none of it is lost. */
function inputsFor(network: Network, transform: EquivarianceOptions["transform"], seed: number): Tensor[] {
  const middle = (at: readonly number[], _: number, shape: readonly number[]): boolean =>
    at.every((i, axis) => 3 * i >= (shape[axis] ?? 1) - 1 && 3 * i < 2 * (shape[axis] ?? 1));
  return randomInputs(network, 2, seed, transform === "shift" ? middle : () => true);
}
