/** Augmentations: each does what it says, and the same for the same seed, pass and row. */
import { describe, expect, it } from "vitest";
import { type Tensor, tensor } from "../tensor/tensor.js";
import { augmentImages, augmentSequences, type Augmentation, type ImageAugmentationOptions, mixup } from "./augment.js";
import { Dataset } from "./dataset.js";

/** 6 rows of 6 columns, each pixel by its place. */
const picture = tensor(
  Float32Array.from({ length: 36 }, (_, i) => i + 1),
  { shape: [6, 6, 1] },
);
const changed = (change: Augmentation, of: Tensor, index: number, pass = 0): number[] => [
  ...change({ x: of, y: undefined }, { pass, index }).x.data,
];
const images = (options: ImageAugmentationOptions, count = 40): number[][] =>
  Array.from({ length: count }, (_, index) => changed(augmentImages(options), picture, index));
const pixel = (image: readonly number[], y: number, x: number): number => image[y * 6 + x] ?? NaN;
const whole = [...picture.data];

describe("augmentImages", () => {
  it("without options changes nothing, and leaves what is no image", () => {
    expect(images({}, 1)).toEqual([whole]);
    const x = tensor([1, 2, 3]);
    expect(augmentImages({ flip: "both", noise: 1 })({ x, y: x }, { pass: 0, index: 0 })).toEqual({ x, y: x });
  });

  it("mirrors about half, exactly", () => {
    const mirrored = Array.from({ length: 36 }, (_, i) => pixel(whole, Math.floor(i / 6), 5 - (i % 6)));
    const upside = Array.from({ length: 36 }, (_, i) => pixel(whole, 5 - Math.floor(i / 6), i % 6));
    for (const [flip, other] of [
      ["horizontal", mirrored],
      ["vertical", upside],
    ] as const) {
      const all = images({ flip }, 200);
      const count = all.filter((image) => String(image) === String(other)).length;
      expect(all.every((image) => [String(whole), String(other)].includes(String(image)))).toBe(true);
      expect(count).toBeGreaterThan(70);
      expect(count).toBeLessThan(130);
    }
    expect(new Set(images({ flip: "both" }, 100).map(String)).size).toBe(4);
  });

  it("shifts by whole pixels, fills what comes in, and not further than it is told", () => {
    const all = images({ shift: 0.34, fill: -1 }, 200);
    const places = all.map((image) => image.indexOf(15)); // of row 2, column 2
    for (const [i, place] of places.entries()) {
      expect(Math.abs(Math.floor(place / 6) - 2)).toBeLessThanOrEqual(2);
      const [dy, dx] = [Math.floor(place / 6) - 2, (place % 6) - 2];
      for (let y = 0; y < 6; y++)
        for (let x = 0; x < 6; x++) {
          const inside = y - dy >= 0 && y - dy < 6 && x - dx >= 0 && x - dx < 6;
          expect(pixel(all[i] ?? [], y, x)).toBe(inside ? pixel(whole, y - dy, x - dx) : -1);
        }
    }
    expect(new Set(places).size).toBeGreaterThan(15);
  });

  it("crops within the picture and draws it out; rotates about the middle", () => {
    for (const image of images({ crop: 0.5 })) {
      // A part of a plane is a plane between its corners.
      expect(Math.min(...image)).toBeGreaterThanOrEqual(1 - 1e-4);
      expect(Math.max(...image)).toBeLessThanOrEqual(36 + 1e-4);
      expect(pixel(image, 0, 1) - pixel(image, 0, 0)).toBeCloseTo(pixel(image, 5, 5) - pixel(image, 5, 4), 3);
      expect(pixel(image, 0, 1) - pixel(image, 0, 0)).toBeGreaterThan(0.49);
    }
    const middle = (image: readonly number[]): number =>
      (pixel(image, 2, 2) + pixel(image, 2, 3) + pixel(image, 3, 2) + pixel(image, 3, 3)) / 4;
    const turned = images({ rotate: 90 }, 100);
    for (const image of turned) expect(middle(image)).toBeCloseTo(18.5, 3);
    expect(new Set(turned.map(String)).size).toBe(100);
  });

  it("adds noise of its deviation, and cuts out one square", () => {
    const noise = images({ noise: 0.5 }, 100).flatMap((image) => image.map((value, i) => value - (whole[i] ?? 0)));
    const variance = noise.reduce((sum, value) => sum + value ** 2, 0) / noise.length;
    expect(variance).toBeGreaterThan(0.22);
    expect(variance).toBeLessThan(0.28);
    for (const image of images({ cutout: 0.5 })) {
      const gone = image.flatMap((value, i) => (value === 0 ? [i] : []));
      expect(gone.length).toBe(9);
      const [first = 0] = gone;
      expect(gone).toEqual([0, 1, 2, 6, 7, 8, 12, 13, 14].map((i) => first + i));
    }
  });

  it("leaves bytes bytes: the same pixels, rounded, and none beyond black and white", () => {
    const bytes = tensor(
      Uint8Array.from({ length: 36 }, (_, i) => 7 * i),
      { shape: [6, 6, 1] },
    );
    const wide = tensor([...bytes.data], { shape: [6, 6, 1], dtype: "float32" });
    for (const options of [{ flip: "both" }, { crop: 0.5 }, { rotate: 30 }, { noise: 100 }, { cutout: 0.5 }] as const)
      for (let index = 0; index < 20; index++) {
        const change = augmentImages(options);
        const { x } = change({ x: bytes, y: undefined }, { pass: 0, index });
        expect(x.dtype).toBe("uint8");
        const expected = changed(change, wide, index).map((value) => Math.min(255, Math.max(0, value)));
        expect(x.data.every((value, i) => Math.abs(value - (expected[i] ?? NaN)) <= 0.5)).toBe(true);
      }
  });

  it("is the same for the same seed, pass and row, whatever the order, and another one in the next epoch", async () => {
    const x = tensor(
      Float32Array.from({ length: 5 * 36 }, (_, i) => i),
      { shape: [5, 6, 6, 1] },
    );
    const y = tensor([0, 1, 2, 3, 4]);
    const change = augmentImages({ shift: 0.3, rotate: 20, noise: 0.1 });
    const rowsOf = async (data: Dataset, epoch: number): Promise<Record<number, string>> => {
      const { columns, order } = await data.plan(epoch);
      return Object.fromEntries(
        Array.from(order, (row) => [columns.y[0]?.data[row], String(columns.x[0]?.rows(row, row + 1).data)]),
      ) as Record<number, string>;
    };
    const plain = Dataset.fromTensors({ x, y }).map(change);
    const shuffled = Dataset.fromTensors({ x, y }).shuffle({ seed: 3 }).map(change, { parallel: 3 });
    expect(await rowsOf(shuffled, 0)).toEqual(await rowsOf(plain, 0));
    expect(await rowsOf(plain, 1)).not.toEqual(await rowsOf(plain, 0));
    const streamed: string[] = [];
    for await (const row of plain.stream()) streamed.push(String(row.x.data));
    expect(streamed).toEqual(Object.values(await rowsOf(plain, 0)));
  });

  it.each([
    [{ crop: 0 }, "crop"],
    [{ shift: 1 }, "shift"],
    [{ rotate: 181 }, "rotate"],
    [{ flip: "sideways" }, "flip"],
    [{ zoom: 2 }, "zoom"],
  ])("refuses %o", (options, name) => {
    expect(() => augmentImages(options as ImageAugmentationOptions)).toThrow(name);
  });
});

describe("mixup", () => {
  it("mixes inputs and targets of a batch by the same shares, with another row", async () => {
    const rows = Array.from({ length: 64 }, (_, i) => i);
    const x = tensor(rows.map((i) => [i, 10 * i]));
    const y = tensor(rows.map((i) => [i, 0]));
    const data = Dataset.fromTensors({ x, y })
      .batch(64)
      .map(mixup({ alpha: 1 }));
    for await (const batch of data) {
      const [a, b] = [batch.x.data, batch.y.data];
      for (const i of rows) {
        expect(a[2 * i + 1]).toBeCloseTo(10 * (a[2 * i] ?? 0), 3);
        expect(b[2 * i]).toBeCloseTo(a[2 * i] ?? 0, 5);
      }
      expect(rows.filter((i) => Math.abs((a[2 * i] ?? 0) - i) > 0.01).length).toBeGreaterThan(50);
    }
    expect(() => mixup()({ x: tensor([[1]], { dtype: "int32" }), y: undefined }, { pass: 0, index: 0 })).toThrow(
      "mixup: whole numbers have no mean",
    );
    expect(() => mixup({ alpha: 0 })).toThrow("alpha");
    const pixels = tensor(Uint8Array.of(0, 255), { shape: [2, 1, 1, 1] });
    const { x: grey } = mixup({ alpha: 1 })({ x: pixels, y: undefined }, { pass: 0, index: 0 });
    expect(grey.dtype).toBe("float32");
    expect(grey.data.every((value) => value > 0 && value < 255)).toBe(true);
    const classes = { x: pixels, y: tensor(Uint8Array.of(0, 9)) };
    expect(() => mixup()(classes, { pass: 0, index: 0 })).toThrow("whole numbers have no mean");
  });
});

describe("augmentSequences", () => {
  const tokens = tensor([1, 2, 3, 4, 1, 1, 2, 2, 0, 0], { dtype: "int32" });
  const all = (options: Parameters<typeof augmentSequences>[0], count = 100): number[][] =>
    Array.from({ length: count }, (_, index) => changed(augmentSequences(options), tokens, index));

  it("crops a part that follows itself, and fills up with 0", () => {
    const text = "12341122";
    for (const sequence of all({ crop: 0.5 })) {
      const kept = sequence.join("").replace(/0+$/, "");
      expect(text).toContain(kept);
      expect(kept.length).toBeGreaterThanOrEqual(4);
      expect(sequence.length).toBe(10);
    }
  });

  it("mutates at its rate into other letters, and never what fills up", () => {
    const sequences = all({ mutation: 0.25, letters: [1, 2, 3, 4] }, 400);
    const differing = sequences.flatMap((sequence) => sequence.map((token, i) => Number(token !== tokens.data[i])));
    expect(differing.reduce((a, b) => a + b, 0) / (400 * 8)).toBeCloseTo(0.25, 1);
    for (const sequence of sequences) {
      expect(sequence.slice(8)).toEqual([0, 0]);
      expect(sequence.slice(0, 8).every((token) => token >= 1 && token <= 4)).toBe(true);
    }
    expect(() => augmentSequences({ mutation: 0.1 })).toThrow("augmentSequences: letters are missing");
  });

  it("reads half of them from the end, each letter by its partner", () => {
    const complement = { 1: 4, 2: 3, 3: 2, 4: 1 };
    const found = all({ reverseComplement: complement }, 200).map((sequence) => sequence.join(""));
    expect(new Set(found)).toEqual(new Set(["1234112200", "3344123400"]));
    expect(found.filter((text) => text.startsWith("33")).length / 200).toBeCloseTo(0.5, 0.9);
  });
});
