/** A model for the inputs of an encoded table: what is known of all kinds of columns, put together. */
import {
  concatenate,
  conv1d,
  conv2d,
  dense,
  dropout,
  embedding,
  flatten,
  functional,
  globalAveragePooling1d,
  globalAveragePooling2d,
  globalMaxPooling1d,
  globalMaxPooling2d,
  input,
  maxPooling2d,
  type Model,
  type ModelOptions,
  rescaling,
  type SymbolicTensor,
} from "torte";
import type { EncodedInput, TableEncoding } from "../encode/encoding.js";

/** Options of {@link defaultModel}. */
export interface DefaultModelOptions extends ModelOptions {
  /** Units of the hidden dense layer. Default 64. */
  readonly units?: number;
  /** Rate of the dropout before each dense layer, at least 0 and below 1. Default 0.5, of few inputs 0.1. */
  readonly dropout?: number;
}

/** Inputs of more numbers are told from noise by dropout and a narrow layer of their own; fewer are all needed. */
const FEW = 64;
const NARROW = 32;

/**
 * The default model of an encoded table. Tokens of an end go through an embedding and a convolution whose places matter; a sequence as a whole
 * through an embedding, a convolution and its masked maximum and mean; an image through up to three convolutions with poolings; numbers as they are, or where there are many through dropout and a
 * narrow dense layer. All of it goes through a dense layer, of few numbers alone through two, to one unit, or to one for each class or label.
 *
 * @example
 * import { Table } from "torte";
 * import { defaultModel, encodeTable } from "@torte/data";
 * const size = Array.from({ length: 40 }, (_, i) => i);
 * const { encoding } = encodeTable(new Table({ size, half: size.map((n) => n / 2) }), { target: "half" });
 * console.log(defaultModel(encoding).countParams()); // 4353
 */
export function defaultModel(encoding: TableEncoding, options: DefaultModelOptions = {}): Model {
  const [only, ...more] = encoding.inputs;
  const few = more.length === 0 && only?.role === "features" && (only.shape[0] ?? 0) <= FEW;
  const { units = 64, dropout: rate = few ? 0.1 : 0.5, ...others } = options;
  const inputs = encoding.inputs.map(({ name, shape, dtype }) => input({ name, shape, dtype }));
  const parts = encoding.inputs.flatMap((of, i) => {
    const x = inputs[i];
    return x === undefined ? [] : branch(of, x, rate);
  });
  const [first, ...rest] = parts;
  if (first === undefined) throw new RangeError("an encoding has inputs");
  const all = rest.length === 0 ? first : concatenate()([first, ...rest]);
  const layer = (x: SymbolicTensor, name: string): SymbolicTensor => dense({ units, activation: "relu", name })(x);
  const hidden = few ? layer(drop(rate, layer(all, "hidden_1")), "hidden_2") : layer(drop(rate, all), "hidden");
  return functional({ inputs, outputs: head(encoding)(drop(rate, hidden)), name: "default", ...others });
}

const drop = (rate: number, x: SymbolicTensor): SymbolicTensor => (rate === 0 ? x : dropout({ rate })(x));

/** What an input gives to the dense layers. */
function branch(
  { role, vocabulary = 0, shape }: EncodedInput,
  x: SymbolicTensor,
  rate: number,
): readonly SymbolicTensor[] {
  switch (role) {
    case "features":
      return (shape[0] ?? 0) <= FEW
        ? [x]
        : [dense({ units: NARROW, activation: "relu", name: "narrow" })(drop(rate, x))];
    case "image": {
      const seen = ofImage(rescaling({ scale: 1 / 255 })(x), shape);
      return [globalMaxPooling2d()(seen), globalAveragePooling2d()(seen)];
    }
    case "start":
    case "end": {
      const letters = embedding({ inputDim: vocabulary, outputDim: 12, maskZero: true })(x);
      return [flatten()(conv1d({ filters: 16, kernelSize: 4, activation: "relu" })(letters))];
    }
    case "tokens": {
      const tokens = embedding({ inputDim: vocabulary, outputDim: 16, maskZero: true })(x);
      const seen = conv1d({ filters: 64, kernelSize: 8, padding: "same", activation: "relu" })(tokens);
      return [globalMaxPooling1d()(seen), globalAveragePooling1d()(seen)];
    }
  }
}

/** Convolutions of an image, each followed by a pooling that halves the sides, as long as there is something to halve. */
function ofImage(x: SymbolicTensor, shape: readonly number[]): SymbolicTensor {
  let [out, side] = [x, Math.min(shape[0] ?? 1, shape[1] ?? 1)];
  for (let filters = 16; ; filters *= 2) {
    out = conv2d({ filters, kernelSize: 3, padding: "same", activation: "relu" })(out);
    if (side < 8 || filters === 64) return out;
    out = maxPooling2d({ poolSize: 2 })(out);
    side = Math.floor(side / 2);
  }
}

function head({ target }: TableEncoding): ReturnType<typeof dense> {
  if (target.kind === "binary") return dense({ units: 1, activation: "sigmoid", name: "probability" });
  if (target.kind === "multiLabel")
    return dense({ units: target.labels.length, activation: "sigmoid", name: "probabilities" });
  if (target.kind === "multiClass")
    return dense({ units: target.labels.length, activation: "softmax", name: "probabilities" });
  return dense({ units: 1, name: "value" });
}

/** The loss that goes with the default model's output. */
export const LOSS_OF = {
  binary: "binaryCrossentropy",
  multiClass: "sparseCategoricalCrossentropy",
  multiLabel: "binaryCrossentropy",
  regression: "meanSquaredError",
} as const;
