/** Images: pixels beside Pillow's, folders as tables, sizes that are brought together, files that are damaged or bombs. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { encode as encodePng } from "fast-png";
import { zlibSync } from "fflate";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DataError, Picture, Table, TorteError } from "torte";
import { decodeImage, encodeTable, openTable, readTable, readyImages, TableEncoding } from "@torte/data";
import { dice, mutateBytes } from "../../torte/src/testing/mutate.js";

/** Made by fixtures/images/make.py. */
const folder = fileURLToPath(new URL("fixtures/images/", import.meta.url));
const known = JSON.parse(readFileSync(join(folder, "pixels.json"), "utf8")) as { pixels: Record<string, number[]> };
const names = Object.keys(known.pixels);
const fileOf = (name: string): Uint8Array => new Uint8Array(readFileSync(join(folder, name)));

const made = mkdtempSync(join(tmpdir(), "torte-images-"));
afterAll(() => {
  rmSync(made, { recursive: true });
});
beforeAll(readyImages);

const grey = (width: number, height: number, of: (y: number, x: number) => number, name = "made"): Picture =>
  new Picture(
    name,
    width,
    height,
    1,
    Uint8Array.from({ length: width * height }, (_, i) => of(Math.floor(i / width), i % width)),
  );

describe("an image", () => {
  it.each(names)("%s has Pillow's pixels", (name) => {
    const { width, height, channels, data } = decodeImage(fileOf(name), name);
    expect([width, height]).toEqual([13, 9]);
    expect(channels).toBe(/^(grey|bits|deep)/.test(name) ? 1 : 3);
    const pixels = known.pixels[name] ?? [];
    // Other JPEG decoders round otherwise.
    const most = name.endsWith("jpg") ? 3 : 1;
    pixels.forEach((value, i) => {
      const own = data[channels === 3 ? i : Math.floor(i / 3)] ?? NaN;
      expect(Math.abs(own - value), `${name} ${i}`).toBeLessThanOrEqual(most);
    });
  });

  it("that is none, is cut short, or says that it is larger than can be, is refused before memory is asked for", () => {
    const header = (width: number, height: number): Uint8Array => {
      const bytes = fileOf("grey.png");
      new DataView(bytes.buffer).setUint32(16, width);
      new DataView(bytes.buffer).setUint32(20, height);
      return bytes;
    };
    expect(() => decodeImage(header(100_000, 100_000), "bomb.png")).toThrow(
      "bomb.png: the image has too many pixels, or none: expected at most 33554432, received 100000 × 100000.",
    );
    expect(() => decodeImage(header(0, 1), "a.png")).toThrow("too many pixels, or none");
    expect(() => decodeImage(fileOf("colour.png").subarray(0, 200), "a.png")).toThrow("cut short or damaged");
    expect(() => decodeImage(fileOf("colour.jpg").subarray(0, 300), "a.jpg")).toThrow("cut short or damaged");
    expect(() => decodeImage(new TextEncoder().encode("GIF89a"), "a.png")).toThrow("this is no image");
    const tall = fileOf("colour.jpg");
    const at = tall.findIndex((byte, i) => byte === 0xff && tall[i + 1] === 0xc0);
    tall.fill(0xff, at + 5, at + 9);
    expect(() => decodeImage(tall, "bomb.jpg")).toThrow("too many pixels");
    // What the decoder has left in the middle does no harm to the next one.
    expect(decodeImage(fileOf("grey.jpg"), "a.jpg").width).toBe(13);
  });

  it("that unpacks to more than its size is refused in time", () => {
    const bytes = fileOf("grey.png");
    const zeros = zlibSync(new Uint8Array(3e7));
    const chunk = new Uint8Array(12 + zeros.length);
    new DataView(chunk.buffer).setUint32(0, zeros.length);
    chunk.set(new TextEncoder().encode("IDAT"), 4);
    chunk.set(zeros, 8);
    const bomb = Uint8Array.from([...bytes.subarray(0, 33), ...chunk, ...bytes.subarray(bytes.length - 12)]);
    expect(() => decodeImage(bomb, "bomb.png")).toThrow("bomb.png: the image unpacks to more than its size");
  });

  it("changed at random is an image or an error of Torte's", async () => {
    for (let seed = 0; seed < 100; seed++)
      for (const [i, name] of names.entries()) {
        await readyImages();
        try {
          decodeImage(mutateBytes(fileOf(name), dice(seed * names.length + i)), name);
        } catch (error) {
          if (!(error instanceof TorteError)) throw error;
        }
      }
  });
});

describe("a folder of images", () => {
  it("is a table with a label for each folder; what cannot be read says why in its place", async () => {
    mkdirSync(join(made, "photos/cats/old"), { recursive: true });
    mkdirSync(join(made, "photos/dogs"));
    writeFileSync(join(made, "photos/cats/b.PNG"), fileOf("colour.png"));
    writeFileSync(join(made, "photos/cats/old/a.jpg"), fileOf("colour.jpg"));
    writeFileSync(join(made, "photos/dogs/c.jpeg"), fileOf("grey.jpg"));
    writeFileSync(join(made, "photos/dogs/d.png"), fileOf("grey.png").subarray(0, 60));
    writeFileSync(join(made, "photos/notes.txt"), "no image");
    const table = await readTable(join(made, "photos"), { format: "images" });
    expect(table.columns).toEqual(["id", "image", "label"]);
    expect(table.column("id")).toEqual(["cats/b.PNG", "cats/old/a.jpg", "dogs/c.jpeg", "dogs/d.png"]);
    expect(table.column("label")).toEqual(["cats", "cats", "dogs", "dogs"]);
    expect(String(table.column("image")[0])).toBe("cats/b.PNG");
    expect(table.column("image")[3]).toMatch(/^no image: dogs\/d.png: the image is cut short or damaged/);
    const flat = await openTable(join(made, "photos/dogs"), { format: "images" });
    expect(flat.columns).toEqual(["id", "image"]);
    mkdirSync(join(made, "empty"));
    const refused = (folder: string): Promise<unknown> =>
      readTable(join(made, folder), { format: "images", name: folder });
    const layout = "in a folder for each class, as cats/1.png and dogs/2.png";
    const none = `there are no images: expected files that end in .png, .jpg or .jpeg, ${layout}`;
    await expect(refused("empty")).rejects.toThrow(`empty: ${none}, received an empty folder.`);
    writeFileSync(join(made, "empty/a.csv"), "");
    writeFileSync(join(made, "empty/README"), "");
    const fix = "Of a table in it, give the file.";
    await expect(refused("empty")).rejects.toThrow(`empty: ${none}, received README, .csv. ${fix}`);
    await expect(readTable(join(made, "nowhere"), { format: "images" })).rejects.toThrow(DataError);
    const dropped = [new File([fileOf("grey.png") as BlobPart], "x.png"), new File(["a"], "a.txt")];
    Object.defineProperty(dropped[0], "webkitRelativePath", { value: "photos/cats/x.png" });
    const { openImages } = await import("@torte/data");
    expect((await openImages(dropped)).columns).toEqual(["id", "image", "label"]);
  });

  it("becomes numbers of one size, fitted to the training part; shrunk by means, drawn out between neighbours", () => {
    const flat = Array.from({ length: 20 }, (_, i) => grey(8, 8, (y, x) => (i % 2 === 0 ? 16 * y : 16 * x), `${i}`));
    const table = new Table({ image: flat, label: flat.map((_, i) => i % 2) });
    const { encoding } = encodeTable(table, { target: "label" });
    expect(encoding.inputs).toEqual([
      { name: "image", role: "image", shape: [8, 8, 1], column: "image", dtype: "float32" },
    ]);
    const encoded = (picture: Picture): number[] => {
      const [x] = encoding.encodeCells(1, () => picture).x;
      expect(x?.dtype).toBe("uint8");
      return [...(x?.data ?? [])];
    };
    expect(encoded(grey(16, 16, (y) => 8 * y))).toEqual(
      Array.from({ length: 64 }, (_, i) => 16 * Math.floor(i / 8) + 4),
    );
    expect(encoded(grey(4, 4, (_, x) => 20 * x)).slice(0, 8)).toEqual([0, 5, 15, 25, 35, 45, 55, 60]);
    const red = new Picture(
      "red",
      8,
      8,
      3,
      Uint8Array.from({ length: 192 }, (_, i) => (i % 3 === 0 ? 255 : 0)),
    );
    expect(encoded(red)[0]).toBe(76);
    const png = Buffer.from(encodePng({ width: 8, height: 8, channels: 1, data: flat[0]!.data })).toString("base64");
    const [x] = encoding.encodeCells(2, (_, row) => (row === 0 ? `data:image/png;base64,${png}` : "abc")).x;
    expect([...(x?.data.slice(0, 64) ?? [])]).toEqual([...(encoding.encodeCells(1, () => flat[0]!).x[0]?.data ?? [])]);
    expect(encoding.encodeCells(1, () => "abc").problems).toEqual([
      { row: 0, column: "image", problem: '"abc" is no image' },
    ]);
    expect(JSON.stringify(TableEncoding.fromJSON(JSON.parse(JSON.stringify(encoding))))).toBe(JSON.stringify(encoding));
  });
});
