/** Augmentation: random changes that leave the label as it is, for `map` of a dataset; functions of seed, pass and place. */
import { checkOptions, DataError, numberIn, oneOf, OptionError, seedOption, show } from "../errors.js";
import { type Key, mixKey, normalAt, uniformAt } from "../tensor/random.js";
import { Tensor } from "../tensor/tensor.js";
import { asList, eachTensor, type Example, type Parts, type TensorOrList } from "./example.js";

/** Where an element stands that `map` changes. */
export interface Place {
  /** The epoch, from 0. */
  readonly pass: number;
  /** The row's number, or that of the batch. */
  readonly index: number;
}

/** Options of {@link augmentImages}; what is left out is not done. */
export interface ImageAugmentationOptions {
  /** Mirrors half of the images left to right ("horizontal"), upside down ("vertical"), or each with even odds ("both"). */
  readonly flip?: "horizontal" | "vertical" | "both";
  /** The least share of each side that a random part has, which is drawn out to the whole. Above 0, at most 1. */
  readonly crop?: number;
  /** The largest shift along each side, as a share of it. At least 0, below 1. */
  readonly shift?: number;
  /** The largest angle of a rotation, in degrees, either way. At least 0, at most 180. */
  readonly rotate?: number;
  /** The standard deviation of normal noise on each value, in its unit: of bytes 25 is a tenth of the range. At least 0. */
  readonly noise?: number;
  /** The side of a square that is blanked out at a random place, as a share of the image's. At least 0, at most 1 (DeVries and Taylor 2017). */
  readonly cutout?: number;
  /** What comes in from beyond the borders, and into a cutout. Default 0. */
  readonly fill?: number;
  /** Default 0. */
  readonly seed?: number;
}

/** Changes an element of a dataset. */
export type Augmentation = <X extends TensorOrList, Y extends TensorOrList | undefined>(
  example: Example<X, Y>,
  place: Place,
) => Parts<X, Y>;

/** Streams of random numbers. */
const IMAGES = 0x1a6e5;
const SEQUENCES = 0x5e9ce;
const MIXTURES = 0x313;

/**
 * Changes images at random, anew in each epoch: inputs of shape [height, width, channels]; others stay. Bytes stay bytes. Geometry is one bilinear
 * resampling, so that what is moved is blurred once.
 *
 * @throws OptionError for options out of range.
 * @example
 * import { augmentImages, Dataset, tensor } from "torte";
 * const images = tensor(new Float32Array(2 * 4 * 4).fill(1), { shape: [2, 4, 4, 1] });
 * const data = Dataset.fromTensors({ x: images, y: tensor([0, 1]) }).map(augmentImages({ flip: "horizontal", shift: 0.25 }));
 * let changed = 0;
 * for await (const { x } of data) changed += x.shape.join() === "4,4,1" ? 1 : 0;
 * console.log(changed); // 2
 */
export function augmentImages(options: ImageAugmentationOptions = {}): Augmentation {
  const where = "augmentImages";
  checkOptions(where, options, ["flip", "crop", "shift", "rotate", "noise", "cutout", "fill", "seed"]);
  const flip = options.flip === undefined ? undefined : oneOf(where, "flip", options.flip, FLIPS);
  const settings: ImageSettings = {
    flip,
    crop: numberIn(where, "crop", options.crop ?? 1, { above: 0, max: 1 }),
    shift: numberIn(where, "shift", options.shift ?? 0, { min: 0, below: 1 }),
    rotate: (numberIn(where, "rotate", options.rotate ?? 0, { min: 0, max: 180 }) * Math.PI) / 180,
    noise: numberIn(where, "noise", options.noise ?? 0, { min: 0 }),
    cutout: numberIn(where, "cutout", options.cutout ?? 0, { min: 0, max: 1 }),
    fill: numberIn(where, "fill", options.fill ?? 0),
  };
  const seed = seedOption(where, options.seed ?? 0);
  return (example, place) => ({
    ...example,
    x: changed(example.x, (tensor, input) =>
      tensor.shape.length === 3 ? augmentImage(tensor, settings, keyOf(seed, IMAGES + input, place)) : tensor,
    ),
  });
}

const FLIPS = ["horizontal", "vertical", "both"] as const;

interface ImageSettings {
  readonly flip: (typeof FLIPS)[number] | undefined;
  readonly crop: number;
  readonly shift: number;
  /** Radians. */
  readonly rotate: number;
  readonly noise: number;
  readonly cutout: number;
  readonly fill: number;
}

const keyOf = (seed: number, stream: number, { pass, index }: Place): Key => {
  const [word] = mixKey(seed, stream, pass);
  return mixKey(word, stream, index);
};

/** The same form with the tensors that `change` has made. */
const changed = <T extends TensorOrList>(of: T, change: (tensor: Tensor, place: number) => Tensor): T =>
  eachTensor({ x: of }, change).x as T;

/** Random numbers that are drawn one after the other. */
function drawsOf(key: Key): () => number {
  let next = 0;
  return () => uniformAt(key, next++);
}

function augmentImage(image: Tensor, settings: ImageSettings, key: Key): Tensor {
  const [height = 0, width = 0, channels = 0] = image.shape;
  const draw = drawsOf(key);
  const data = resampled(
    image.data,
    { height, width, channels },
    transformOf(settings, height, width, draw),
    settings.fill,
  );
  const { noise, cutout, fill } = settings;
  if (noise > 0) {
    const own = mixKey(key[0], IMAGES, 1);
    for (let i = 0; i < data.length; i++) data[i] = (data[i] ?? 0) + noise * normalAt(own, i);
  }
  if (cutout > 0) {
    const [h, w] = [Math.round(cutout * height), Math.round(cutout * width)];
    const [top, left] = [Math.floor(draw() * (height - h + 1)), Math.floor(draw() * (width - w + 1))];
    for (let y = top; y < top + h; y++)
      data.fill(fill, (y * width + left) * channels, (y * width + left + w) * channels);
  }
  if (image.dtype !== "uint8") return new Tensor(data, image.shape, "float32");
  // Bytes stay bytes: rounded, and black or white where noise goes beyond.
  return new Tensor(new Uint8Array(Uint8ClampedArray.from(data).buffer), image.shape, "uint8");
}

/** From a pixel of the result to one of the image: an affine map, row by row. */
type Transform = readonly [yy: number, yx: number, y0: number, xy: number, xx: number, x0: number];

function transformOf(
  { flip, crop, shift, rotate }: ImageSettings,
  height: number,
  width: number,
  draw: () => number,
): Transform {
  const coin = (): number => (draw() < 0.5 ? -1 : 1);
  const [vertical, horizontal] = [coin(), coin()];
  const mirrorY = flip === "vertical" || flip === "both" ? vertical : 1;
  const mirrorX = flip === "horizontal" || flip === "both" ? horizontal : 1;
  const scale = crop + (1 - crop) * draw();
  const [cropY, cropX] = [(draw() - 0.5) * (1 - scale) * (height - 1), (draw() - 0.5) * (1 - scale) * (width - 1)];
  const moved = (side: number): number => Math.round((2 * draw() - 1) * shift * side);
  const [shiftY, shiftX] = [moved(height), moved(width)];
  const angle = (2 * draw() - 1) * rotate;
  // Without a rotation places are whole numbers, and stay exact.
  const [cos, sin] = rotate === 0 ? [1, 0] : [Math.cos(angle), Math.sin(angle)];
  const [cy, cx] = [(height - 1) / 2, (width - 1) / 2];
  const [yy, yx] = [scale * mirrorY * cos, scale * mirrorY * sin];
  const [xy, xx] = [-scale * mirrorX * sin, scale * mirrorX * cos];
  return [
    yy,
    yx,
    cy + cropY - yy * (cy + shiftY) - yx * (cx + shiftX),
    xy,
    xx,
    cx + cropX - xy * (cy + shiftY) - xx * (cx + shiftX),
  ];
}

interface Form {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** Bilinear; beyond the borders is `fill`. */
function resampled(
  source: ArrayLike<number>,
  { height, width, channels }: Form,
  [yy, yx, y0, xy, xx, x0]: Transform,
  fill: number,
): Float32Array {
  const result = new Float32Array(height * width * channels);
  const at = (y: number, x: number, c: number): number =>
    y < 0 || y >= height || x < 0 || x >= width ? fill : (source[(y * width + x) * channels + c] ?? 0);
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      const [y, x] = [yy * row + yx * column + y0, xy * row + xx * column + x0];
      const [top, left] = [Math.floor(y), Math.floor(x)];
      const [dy, dx] = [y - top, x - left];
      for (let c = 0; c < channels; c++) {
        const upper = dx === 0 ? at(top, left, c) : at(top, left, c) * (1 - dx) + at(top, left + 1, c) * dx;
        const lower =
          dy === 0
            ? 0
            : dx === 0
              ? at(top + 1, left, c)
              : at(top + 1, left, c) * (1 - dx) + at(top + 1, left + 1, c) * dx;
        result[(row * width + column) * channels + c] = dy === 0 ? upper : upper * (1 - dy) + lower * dy;
      }
    }
  return result;
}

/** Options of {@link mixup}. */
export interface MixupOptions {
  /** Both parameters of the beta distribution that shares are drawn from. Above 0; default 0.2. */
  readonly alpha?: number;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * Mixes each row of a batch with another one, inputs and targets alike: λ·a + (1 − λ)·b, λ of a beta distribution (Zhang et al. 2018). For datasets in
 * batches with inputs of float32, or images in bytes, which become float32, and targets that can be mixed: probabilities, one-hot classes, numbers.
 *
 * @throws OptionError for options out of range; DataError for class numbers of several classes and tokens, which have no mean.
 * @example
 * import { Dataset, mixup, tensor } from "torte";
 * const data = Dataset.fromTensors({ x: tensor([[0], [1], [2], [3]]), y: tensor([[0], [0], [1], [1]]) });
 * for await (const { x } of data.batch(4).map(mixup({ alpha: 0.4 }))) console.log(x.shape); // [ 4, 1 ]
 */
export function mixup(options: MixupOptions = {}): Augmentation {
  const where = "mixup";
  checkOptions(where, options, ["alpha", "seed"]);
  const alpha = numberIn(where, "alpha", options.alpha ?? 0.2, { above: 0 });
  const seed = seedOption(where, options.seed ?? 0);
  return (example, place) => {
    const rows = asList(example.x)[0]?.shape[0] ?? 0;
    const key = keyOf(seed, MIXTURES, place);
    const draw = drawsOf(key);
    const partner = Int32Array.from(
      { length: rows },
      (_, i) => (i + 1 + Math.floor(draw() * Math.max(1, rows - 1))) % rows,
    );
    const shares = Float64Array.from({ length: rows }, () => betaDraw(alpha, draw));
    const mix = (tensor: Tensor): Tensor => mixed(tensor, partner, shares);
    const { x, y } = example;
    return { ...example, x: changed(x, mix), y: y === undefined ? y : changed(y, mix) };
  };
}

function mixed(tensor: Tensor, partner: Int32Array, shares: Float64Array): Tensor {
  const { data, shape, dtype } = tensor;
  const pixels = dtype === "uint8" && shape.length === 4;
  if (dtype !== "float32" && !pixels)
    throw new DataError({
      where: "mixup",
      problem: "whole numbers have no mean",
      expected: "float32, or images in uint8",
      received: dtype,
    });
  const size = data.length / (shape[0] ?? 1);
  const result = Float32Array.from(data, (value, i) => {
    const row = Math.floor(i / size);
    const share = shares[row] ?? 1;
    return share * value + (1 - share) * (data[(partner[row] ?? 0) * size + (i % size)] ?? 0);
  });
  return new Tensor(result, shape, "float32");
}

/** Of the beta distribution with twice the same parameter, by Jöhnk's rejection (1964). */
function betaDraw(alpha: number, draw: () => number): number {
  // Where both are so large that little is accepted, the share is near a half anyway.
  for (let tries = 0; tries < 1000; tries++) {
    const [u, v] = [(1 - draw()) ** (1 / alpha), (1 - draw()) ** (1 / alpha)];
    if (u + v > 0 && u + v <= 1) return u / (u + v);
  }
  return 0.5;
}

/** Options of {@link augmentSequences}; what is left out is not done. */
export interface SequenceAugmentationOptions {
  /** The least share of a sequence that a random part has; what is cut off is 0 at the end. Above 0, at most 1. */
  readonly crop?: number;
  /** The probability that a token is replaced by another one. At least 0, at most 1. */
  readonly mutation?: number;
  /** Tokens that mutations put in, as [1, 2, 3, 4]. Needed with mutation. */
  readonly letters?: readonly number[];
  /** Half of the sequences are read from their end, each token by its partner: such as { 1: 4, 2: 3, 3: 2, 4: 1 } for A, C, G, T. */
  readonly reverseComplement?: Readonly<Record<number, number>>;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * Changes sequences of tokens at random, anew in each epoch: inputs of shape [length] and dtype int32, in which 0 fills up the end; others stay.
 *
 * @throws OptionError for options out of range.
 * @example
 * import { augmentSequences, Dataset, tensor } from "torte";
 * const tokens = tensor([[1, 2, 3, 4, 0, 0]], { dtype: "int32" });
 * const data = Dataset.fromTensors({ x: tokens, y: tensor([1]) }).map(augmentSequences({ crop: 0.5 }));
 * for await (const { x } of data) console.log(x.shape); // [ 6 ]
 */
export function augmentSequences(options: SequenceAugmentationOptions = {}): Augmentation {
  const where = "augmentSequences";
  checkOptions(where, options, ["crop", "mutation", "letters", "reverseComplement", "seed"]);
  const crop = numberIn(where, "crop", options.crop ?? 1, { above: 0, max: 1 });
  const mutation = numberIn(where, "mutation", options.mutation ?? 0, { min: 0, max: 1 });
  const { letters = [], reverseComplement } = options;
  if (mutation > 0 && (letters.length < 2 || !letters.every((letter) => Number.isInteger(letter))))
    throw new OptionError({
      where,
      problem: "letters are missing",
      expected: "at least two tokens that mutations put in",
      received: show(options.letters),
    });
  const seed = seedOption(where, options.seed ?? 0);
  return (example, place) => ({
    ...example,
    x: changed(example.x, (tensor, input) => {
      if (tensor.shape.length !== 1 || tensor.dtype !== "int32") return tensor;
      const draw = drawsOf(keyOf(seed, SEQUENCES + input, place));
      const end = tensor.data.findLastIndex((token) => token !== 0) + 1;
      const kept = Math.max(Math.min(1, end), Math.round(end * (crop + (1 - crop) * draw())));
      const from = Math.floor(draw() * (end - kept + 1));
      const tokens = Int32Array.from(tensor.data.slice(from, from + kept));
      if (reverseComplement !== undefined && draw() < 0.5)
        tokens.reverse().forEach((token, i) => (tokens[i] = reverseComplement[token] ?? token));
      tokens.forEach((token, i) => {
        if (draw() < mutation) tokens[i] = otherThan(token, letters, draw());
      });
      const result = new Int32Array(tensor.data.length);
      result.set(tokens);
      return new Tensor(result, tensor.shape, "int32");
    }),
  });
}

function otherThan(token: number, letters: readonly number[], share: number): number {
  const others = letters.filter((letter) => letter !== token);
  return others[Math.floor(share * others.length)] ?? token;
}
