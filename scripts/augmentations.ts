/**
 * `npx jiti scripts/augmentations.ts [FILE.png]`: each augmentation as pictures, a row for each: first what is changed, then what becomes of it in
 * nine epochs. Images as numbers, then as bytes; sequences as a colour for each letter, with time from left to right.
 */
import { writeFileSync } from "node:fs";
import { encode } from "fast-png";
import {
  augmentImages,
  type Augmentation,
  augmentSequences,
  type ImageAugmentationOptions,
  mixup,
  type Tensor,
  tensor,
} from "torte";

const [file = "augmentations.png"] = process.argv.slice(2);
const SIDE = 48;
const GAP = 6;
const COLUMNS = 10;

/** A letter F on a ground that gets lighter to the right and redder to the bottom: no side looks like another. */
const letter = (y: number, x: number): boolean =>
  y > 8 && y < 40 && ((x > 14 && x < 20) || (y < 14 && x > 14 && x < 36) || (y > 21 && y < 26 && x > 14 && x < 30));
const image = tensor(
  Float32Array.from({ length: SIDE * SIDE * 3 }, (_, i) => {
    const [y, x, c] = [Math.floor(i / 3 / SIDE), Math.floor(i / 3) % SIDE, i % 3];
    const ground = [0.2 + (0.6 * y) / SIDE, 0.25 + (0.5 * x) / SIDE, 0.4][c] ?? 0;
    return letter(y, x) ? (c === 2 ? 0.2 : 1) : ground;
  }),
  { shape: [SIDE, SIDE, 3] },
);
const bytes = tensor(
  Uint8Array.from(image.data, (value) => 255 * value),
  { shape: image.shape },
);

type Cell = (y: number, x: number, c: number) => number;
const cellOf =
  ({ data, dtype }: Tensor): Cell =>
  (y, x, c) =>
    (data[(y * SIDE + x) * 3 + c] ?? 0) * (dtype === "uint8" ? 1 : 255);

/** Letters of a sequence from left to right, each in its colour; 0 is white. */
const COLOURS = ["#ffffff", "#0072b2", "#e69f00", "#009e73", "#cc79a7"].map((text) =>
  [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16)),
);
const ofSequence =
  ({ data }: Tensor): Cell =>
  (y, x, c) =>
    y < 12 || y > 36 ? 255 : (COLOURS[data[Math.floor((x * data.length) / SIDE)] ?? 0]?.[c] ?? 0);

const rowOf = (change: Augmentation, x: Tensor, cell: (of: Tensor) => Cell): Cell[] => [
  cell(x),
  ...Array.from({ length: COLUMNS - 1 }, (_, pass) => cell(change({ x, y: undefined }, { pass, index: 0 }).x)),
];
const options: readonly ImageAugmentationOptions[] = [
  { flip: "horizontal" },
  { flip: "vertical" },
  { flip: "both" },
  { crop: 0.5 },
  { shift: 0.3 },
  { rotate: 45 },
  { noise: 0.1 },
  { cutout: 0.4 },
  { flip: "both", crop: 0.7, shift: 0.1, rotate: 20, noise: 0.05, cutout: 0.2, fill: 1 },
];
const inBytes = ({ noise = 0, fill = 0, ...others }: ImageAugmentationOptions): ImageAugmentationOptions => ({
  ...others,
  noise: 255 * noise,
  fill: 255 * fill,
});
const other = tensor([...image.data].reverse(), { shape: image.shape, dtype: "float32" });
const pair = tensor([...image.data, ...other.data], { shape: [2, SIDE, SIDE, 3], dtype: "float32" });
const mixed = (pass: number): Tensor =>
  mixup({ alpha: 0.4 })({ x: pair, y: undefined }, { pass, index: 0 }).x.rows(0, 1);
const sequence = tensor([1, 2, 3, 4, 1, 1, 2, 2, 3, 3, 3, 4, 4, 4, 4, 1, 2, 4, 3, 1, 0, 0, 0, 0], { dtype: "int32" });
const rows: readonly Cell[][] = [
  ...options.map((option) => rowOf(augmentImages(option), image, cellOf)),
  ...options.map((option) => rowOf(augmentImages(inBytes(option)), bytes, cellOf)),
  [cellOf(image), cellOf(other), ...Array.from({ length: COLUMNS - 2 }, (_, pass) => cellOf(mixed(pass)))],
  rowOf(augmentSequences({ crop: 0.5 }), sequence, ofSequence),
  rowOf(augmentSequences({ mutation: 0.2, letters: [1, 2, 3, 4] }), sequence, ofSequence),
  rowOf(augmentSequences({ reverseComplement: { 1: 4, 2: 3, 3: 2, 4: 1 } }), sequence, ofSequence),
];

const [width, height] = [COLUMNS * (SIDE + GAP), rows.length * (SIDE + GAP)];
const data = new Uint8Array(width * height * 3).fill(255);
rows.forEach((cells, row) => {
  cells.forEach((cell, column) => {
    for (let y = 0; y < SIDE; y++)
      for (let x = 0; x < SIDE; x++)
        for (let c = 0; c < 3; c++) {
          const at = ((row * (SIDE + GAP) + y) * width + column * (SIDE + GAP) + x) * 3 + c;
          data[at] = Math.round(Math.min(255, Math.max(0, cell(y, x, c))));
        }
  });
});
writeFileSync(file, encode({ width, height, channels: 3, data }));
