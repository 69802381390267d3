/** What every function of this package gives. */
import { checkOptions, oneOf, OptionError, show } from "torte";
import { type Drawing, svgDocument, type Theme } from "./svg.js";

/** Options of a figure's `toSVG`. */
export interface SvgOptions {
  /**
   * Colours: "auto" has light ones, and dark ones where the reader's system asks for them; "light" and "dark" are fixed.
   * Default "auto".
   */
  readonly theme?: Theme;
}

/** Options of a figure's `toPNG`. */
export interface PngOptions {
  /** Default "light". */
  readonly theme?: "light" | "dark";
  /** Pixels of the picture for each pixel of the figure, above 0 to 8. Default 2. */
  readonly scale?: number;
  /** More fonts, as TTF or OTF files, for letters beyond Latin, Greek and Cyrillic. Default none. */
  readonly fonts?: readonly Uint8Array[];
}

/** A Vega-Lite specification: plain JSON. */
export type Spec = Readonly<Record<string, unknown>>;

export interface FigureParts {
  readonly title: string;
  /** What is to be seen, in words and numbers, for who does not see it. */
  readonly description: string;
  /** Vega-Lite's, where it draws the figure. */
  readonly spec?: Spec;
  readonly draw: () => Drawing | Promise<Drawing>;
}

/**
 * A picture: `toSVG()` and `toPNG()`; in notebooks of Deno it shows itself.
 *
 * @example
 * import { plotHistogram } from "@torte/plot";
 * const figure = plotHistogram([1, 2, 2, 3], { bins: 3, title: "Four numbers" });
 * console.log((await figure.toSVG()).startsWith("<svg")); // true
 * console.log((await figure.toPNG()).subarray(1, 4).toString()); // 80,78,71
 */
export class Figure {
  readonly title: string;
  /** The alternative text, made of the data. */
  readonly description: string;
  /** The Vega-Lite specification with its data; undefined where plain SVG is drawn. */
  readonly spec: Spec | undefined;
  readonly #draw: () => Drawing | Promise<Drawing>;

  constructor({ title, description, spec, draw }: FigureParts) {
    this.title = title;
    this.description = description;
    this.spec = spec;
    this.#draw = draw;
  }

  /** A document that stands alone, or in an HTML page: no scripts, nothing loaded, readable in grey. */
  async toSVG(options: SvgOptions = {}): Promise<string> {
    checkOptions("toSVG", options, ["theme"]);
    const theme = oneOf("toSVG", "theme", options.theme ?? "auto", ["auto", "light", "dark"]);
    return svgDocument(await this.#draw(), this, theme);
  }

  /** A PNG file; text is drawn with a font of this package's own, so that it is the same on every machine. */
  async toPNG(options: PngOptions = {}): Promise<Uint8Array> {
    const { theme, scale, fonts } = await checkedPng(options);
    const { pngOf } = await import("./png.js"); // resvg is loaded where it is used
    return pngOf(await this.toSVG({ theme }), { scale, fonts });
  }

  /** Title and description. */
  toString(): string {
    return this.title === "" ? this.description : `${this.title}\n${this.description}`;
  }

  /** What a notebook of Deno shows. */
  async [Symbol.for("Jupyter.display")](): Promise<Readonly<Record<string, string>>> {
    return { "image/svg+xml": await this.toSVG({ theme: "light" }), "text/plain": this.toString() };
  }
}

/** @throws OptionError for options that toPNG does not have, or out of range. */
export async function checkedPng(options: PngOptions): Promise<Required<PngOptions>> {
  const where = "toPNG";
  checkOptions(where, options, ["theme", "scale", "fonts"]);
  const theme = oneOf(where, "theme", options.theme ?? "light", ["light", "dark"]);
  const { scale = 2 } = options;
  if (!(typeof scale === "number" && scale > 0 && scale <= 8))
    throw new OptionError({
      where,
      problem: "scale is out of range",
      expected: "a number above 0, at most 8",
      received: show(scale),
    });
  const { checkFonts } = await import("./png.js");
  return { theme, scale, fonts: checkFonts(where, options.fonts ?? []) };
}
