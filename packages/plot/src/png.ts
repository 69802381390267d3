/** SVG to pixels, by resvg's build for WebAssembly, with the letters that this package brings. */
import type { Resvg as ResvgClass } from "@resvg/resvg-wasm";
import { isNode, OptionError, show } from "torte";

export interface PixelOptions {
  /** Pixels of the picture for each pixel of the figure. */
  readonly scale: number;
  /** More fonts, as TTF or OTF files, for letters beyond Latin, Greek and Cyrillic. */
  readonly fonts: readonly Uint8Array[];
}

interface Rasterizer {
  readonly Resvg: typeof ResvgClass;
  readonly font: Uint8Array;
}

/** Where resvg's module is; bytes, an address, a response, or a compiled module. */
export type WasmSource = string | URL | Response | BufferSource | WebAssembly.Module;

let source: WasmSource | undefined;
let started: Promise<Rasterizer> | undefined;

/**
 * Says where `index_bg.wasm` of `@resvg/resvg-wasm` is, for pages whose bundler does not find it by itself; before the first
 * picture.
 *
 * @throws OptionError after the first picture.
 */
export function configurePng(options: { readonly wasm: WasmSource }): void {
  if (started !== undefined) {
    const problem = "a picture has been made already";
    throw new OptionError({ where: "configurePng", problem, fix: "Call it before the first toPNG." });
  }
  source = options.wasm;
}

/** The picture as a PNG file. */
export async function pngOf(svg: string, options: PixelOptions): Promise<Uint8Array> {
  return rendered(svg, options, (image) => image.asPng());
}

export interface Pixels {
  readonly width: number;
  readonly height: number;
  /** Red, green, blue, alpha, row by row. */
  readonly rgba: Uint8Array;
}

/** The picture as it is seen. */
export async function pixelsOf(svg: string, options: PixelOptions): Promise<Pixels> {
  return rendered(svg, options, ({ width, height, pixels }) => ({ width, height, rgba: Uint8Array.from(pixels) }));
}

type Image = ReturnType<InstanceType<typeof ResvgClass>["render"]>;

async function rendered<T>(svg: string, { scale, fonts }: PixelOptions, read: (image: Image) => T): Promise<T> {
  started ??= start();
  started.catch(() => (started = undefined)); // so that the next call tries again
  const { Resvg, font } = await started;
  const resvg = new Resvg(svg, {
    fitTo: { mode: "zoom", value: scale },
    font: { fontBuffers: [font, ...fonts], defaultFontFamily: "DejaVu Sans", sansSerifFamily: "DejaVu Sans" },
  });
  try {
    const image = resvg.render();
    try {
      return read(image);
    } finally {
      image.free();
    }
  } finally {
    resvg.free();
  }
}

async function start(): Promise<Rasterizer> {
  const [{ initWasm, Resvg }, { FONT_DEFLATED }] = await Promise.all([
    import("@resvg/resvg-wasm"),
    import("./font-data.js"),
  ]);
  const [font] = await Promise.all([inflated(FONT_DEFLATED), initWasm(source ?? (await ownModule()))]);
  return { Resvg, font };
}

/** What of Node's modules is needed; without an import, which bundlers for browsers would follow. */
interface Builtins {
  getBuiltinModule(name: "node:module"): { createRequire(url: string): { resolve(path: string): string } };
  getBuiltinModule(name: "node:fs/promises"): { readFile(path: string): Promise<Uint8Array> };
}

/** The module beside resvg's code: from the disk, or where a page's bundler has put it. */
async function ownModule(): Promise<BufferSource | URL> {
  if (!isNode()) return new URL("@resvg/resvg-wasm/index_bg.wasm", import.meta.url);
  const host = globalThis.process as unknown as Builtins;
  const path = host
    .getBuiltinModule("node:module")
    .createRequire(import.meta.url)
    .resolve("@resvg/resvg-wasm/index_bg.wasm");
  return Uint8Array.from(await host.getBuiltinModule("node:fs/promises").readFile(path));
}

async function inflated(base64: string): Promise<Uint8Array> {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** @throws OptionError for what is no list of font files. */
export function checkFonts(where: string, fonts: readonly Uint8Array[]): readonly Uint8Array[] {
  if (Array.isArray(fonts) && fonts.every((font) => font instanceof Uint8Array)) return fonts;
  throw new OptionError({ where, problem: "fonts are no files", expected: "a list of bytes", received: show(fonts) });
}
