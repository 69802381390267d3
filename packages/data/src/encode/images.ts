/** Columns of images: all of one size, in bytes, which the model takes for numbers. */
import { type Cell, Picture, show } from "torte";
import { decodeImage } from "../images.js";
import type { ColumnDescription, ColumnEncoder, TokenArray, TokenInput } from "./column.js";

/** The longer side is no longer than this. */
const LONGEST_SIDE = 64;

/** Pictures on a common size, by the mean over what falls into a pixel; grey where all of the training part are. */
export class ImageEncoder implements ColumnEncoder {
  readonly features = 0;
  readonly tokens: readonly TokenInput[];

  constructor(
    readonly height: number,
    readonly width: number,
    readonly channels: 1 | 3,
  ) {
    const shape = [height, width, channels];
    this.tokens = [{ role: "image", length: height * width * channels, shape, vocabulary: 0 }];
  }

  /** The size in the middle, made smaller where it is larger than need be. */
  static fit(cells: readonly Cell[]): ImageEncoder {
    const pictures = cells.filter((cell) => cell instanceof Picture);
    const middle = (sizes: readonly number[]): number => [...sizes].sort((a, b) => a - b)[sizes.length >> 1] ?? 1;
    const [height, width] = [middle(pictures.map((p) => p.height)), middle(pictures.map((p) => p.width))];
    const shrink = Math.min(1, LONGEST_SIDE / Math.max(height, width));
    const side = (size: number): number => Math.max(1, Math.round(size * shrink));
    return new ImageEncoder(side(height), side(width), pictures.every((p) => p.channels === 1) ? 1 : 3);
  }

  encode(
    cell: Cell,
    _features: Float32Array,
    _at: number,
    tokens: readonly TokenArray[],
    row: number,
  ): string | undefined {
    const picture = pictureOf(cell);
    if (typeof picture === "string") return picture;
    const { height, width, channels } = this;
    const [target] = tokens;
    if (target !== undefined) resize(picture, this, target, row * height * width * channels);
    return undefined;
  }

  toJSON(): ColumnDescription {
    return { kind: "image", dtype: "uint8", height: this.height, width: this.width, channels: this.channels };
  }
}

/** The picture of a cell, also of a text as data: addresses have them; or what is wrong. */
function pictureOf(cell: Cell): Picture | string {
  if (cell instanceof Picture) return cell;
  if (cell === null || cell === "") return "there is no image";
  const [, base64] = /^data:image\/(?:png|jpeg);base64,([A-Za-z0-9+/=\s]+)$/.exec(String(cell)) ?? [];
  // The reader of a folder leaves in the place of an image why it cannot be read.
  if (base64 === undefined)
    return typeof cell === "string" && cell.startsWith("no image") ? cell : `${show(cell)} is no image`;
  try {
    return decodeImage(
      Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)),
      "image",
    );
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Rec. 601. */
const GREY = [0.299, 0.587, 0.114] as const;

/** Each pixel of the result is the mean of what it covers; where it covers less than one pixel, that between its neighbours (bilinear). */
function resize(from: Picture, to: ImageEncoder, target: TokenArray, at: number): void {
  const rows = weightsOf(from.height, to.height);
  const columns = weightsOf(from.width, to.width);
  const { width, channels, data } = from;
  const value = (y: number, x: number, c: number): number => {
    const place = (y * width + x) * channels;
    if (to.channels === channels) return data[place + c] ?? 0;
    if (channels === 1) return data[place] ?? 0;
    return GREY.reduce((sum, weight, k) => sum + weight * (data[place + k] ?? 0), 0);
  };
  let next = at;
  for (const row of rows)
    for (const column of columns)
      for (let c = 0; c < to.channels; c++) {
        let sum = 0;
        for (const [y, wy] of row) for (const [x, wx] of column) sum += wy * wx * value(y, x, c);
        target[next++] = Math.round(sum);
      }
}

type Weights = readonly (readonly [place: number, weight: number])[];

/** Of each place of the result: places of the source, with weights that add up to 1. */
function weightsOf(from: number, to: number): readonly Weights[] {
  const scale = from / to;
  return Array.from({ length: to }, (_, i): Weights => {
    if (scale <= 1) {
      const middle = Math.min(from - 1, Math.max(0, (i + 0.5) * scale - 0.5));
      const low = Math.floor(middle);
      return low === middle
        ? [[low, 1]]
        : [
            [low, 1 - (middle - low)],
            [low + 1, middle - low],
          ];
    }
    const [start, end] = [i * scale, (i + 1) * scale];
    const covered = Array.from({ length: Math.ceil(end) - Math.floor(start) }, (_unused, k) => Math.floor(start) + k);
    return covered.map((place) => [
      Math.min(place, from - 1),
      (Math.min(end, place + 1) - Math.max(start, place)) / scale,
    ]);
  });
}
