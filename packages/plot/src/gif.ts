/** Animated GIF files: one table of colours, frames packed by Lempel, Ziv and Welch. GIF89a specification, 1990. */

export interface Frame {
  readonly width: number;
  readonly height: number;
  /** Red, green, blue, alpha, row by row. */
  readonly rgba: Uint8Array;
}

const MOST_COLORS = 256;

/** The file; all frames have one size. */
export function gifOf(frames: readonly Frame[], seconds: number): Uint8Array {
  const [first] = frames;
  const out = new Bytes();
  if (first === undefined) return out.taken();
  const colors = paletteOf(frames);
  const bits = Math.max(2, Math.ceil(Math.log2(colors.length)));
  out.text("GIF89a").word(first.width).word(first.height);
  out
    .byte(0xf0 | (bits - 1))
    .byte(0)
    .byte(0);
  for (let i = 0; i < 1 << bits; i++) {
    const color = colors[i] ?? 0;
    out
      .byte(color >> 16)
      .byte((color >> 8) & 255)
      .byte(color & 255);
  }
  out.byte(0x21).byte(0xff).byte(11).text("NETSCAPE2.0").byte(3).byte(1).word(0).byte(0); // for ever
  const places = new Map(colors.map((color, i) => [color, i]));
  for (const { width, height, rgba } of frames) {
    out
      .byte(0x21)
      .byte(0xf9)
      .byte(4)
      .byte(0)
      .word(Math.round(100 * seconds))
      .byte(0)
      .byte(0);
    out.byte(0x2c).word(0).word(0).word(width).word(height).byte(0);
    out
      .byte(bits)
      .blocks(packed(indexed(rgba, colors, places), bits))
      .byte(0);
  }
  return out.byte(0x3b).taken();
}

const colorAt = (rgba: Uint8Array, i: number): number =>
  ((rgba[i] ?? 0) << 16) | ((rgba[i + 1] ?? 0) << 8) | (rgba[i + 2] ?? 0);

/** The most frequent colours; the others take the nearest. */
function paletteOf(frames: readonly Frame[]): number[] {
  const counts = new Map<number, number>();
  for (const { rgba } of frames)
    for (let i = 0; i < rgba.length; i += 4) {
      const color = colorAt(rgba, i);
      counts.set(color, (counts.get(color) ?? 0) + 1);
    }
  return [...counts]
    .sort(([a, m], [b, n]) => n - m || a - b)
    .slice(0, MOST_COLORS)
    .map(([color]) => color);
}

function indexed(rgba: Uint8Array, colors: readonly number[], places: Map<number, number>): Uint8Array {
  return Uint8Array.from({ length: rgba.length / 4 }, (_, i) => {
    const color = colorAt(rgba, 4 * i);
    const known = places.get(color);
    if (known !== undefined) return known;
    const nearest = nearestOf(color, colors);
    places.set(color, nearest);
    return nearest;
  });
}

function nearestOf(color: number, colors: readonly number[]): number {
  let [best, least] = [0, Infinity];
  colors.forEach((other, i) => {
    const distance = [16, 8, 0].reduce(
      (sum, shift) => sum + (((color >> shift) & 255) - ((other >> shift) & 255)) ** 2,
      0,
    );
    if (distance < least) [best, least] = [i, distance];
  });
  return best;
}

/** LZW with codes that grow from bits + 1 to 12 bits, lowest bits first. */
function packed(pixels: Uint8Array, bits: number): Uint8Array {
  const [clear, end] = [1 << bits, (1 << bits) + 1];
  const out: number[] = [];
  let [buffer, filled, width] = [0, 0, bits + 1];
  let next = end + 1;
  let table = new Map<number, number>();
  const emit = (code: number): void => {
    buffer |= code << filled;
    filled += width;
    for (; filled >= 8; filled -= 8, buffer >>>= 8) out.push(buffer & 255);
  };
  emit(clear);
  let prefix = pixels[0] ?? 0;
  for (const pixel of pixels.subarray(1)) {
    const key = (prefix << 8) | pixel;
    const known = table.get(key);
    if (known !== undefined) {
      prefix = known;
      continue;
    }
    emit(prefix);
    if (next === 4096) {
      emit(clear);
      [table, next, width] = [new Map<number, number>(), end + 1, bits + 1];
    } else {
      table.set(key, next);
      // The reader's table is one behind.
      if (next === 1 << width) width++;
      next++;
    }
    prefix = pixel;
  }
  emit(prefix);
  emit(end);
  if (filled > 0) out.push(buffer & 255);
  return Uint8Array.from(out);
}

class Bytes {
  readonly #bytes: number[] = [];

  byte(value: number): this {
    this.#bytes.push(value & 255);
    return this;
  }

  word(value: number): this {
    return this.byte(value).byte(value >> 8);
  }

  text(letters: string): this {
    for (const letter of letters) this.byte(letter.charCodeAt(0));
    return this;
  }

  /** In blocks of at most 255 bytes, each behind its length. */
  blocks(data: Uint8Array): this {
    for (let i = 0; i < data.length; i += 255) {
      const block = data.subarray(i, i + 255);
      this.byte(block.length);
      for (const value of block) this.byte(value);
    }
    return this;
  }

  taken(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}
