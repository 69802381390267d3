/** Figures that move: frames one after the other, as an animated SVG and as a GIF. */
import { checkOptions, OptionError } from "torte";
import { checkedPng, Figure, type FigureParts } from "./figure.js";
import { gifOf } from "./gif.js";
import { numberOption } from "./options.js";
import { el, svgDocument, type Drawing } from "./svg.js";

/** Options of an animation's `toGIF`. */
export interface GifOptions {
  /** Default "light". */
  readonly theme?: "light" | "dark";
  /** Pixels of the picture for each pixel of the figure, above 0 to 4. Default 1. */
  readonly scale?: number;
  /** How long a frame stays, in seconds, 0.02 to 60. Default 1.2. */
  readonly seconds?: number;
  /** More fonts, as for `toPNG`. Default none. */
  readonly fonts?: readonly Uint8Array[];
}

export interface AnimationParts extends Omit<FigureParts, "draw" | "spec"> {
  readonly width: number;
  readonly height: number;
  /** What all frames have in common. */
  readonly background: string;
  readonly frames: readonly string[];
  /** Which frame stands for all where nothing moves. */
  readonly still: number;
}

/** A figure that moves; `toPNG` gives the frame that says most. */
export class Animation extends Figure {
  /** Number of frames. */
  readonly length: number;
  readonly #parts: AnimationParts;

  constructor(parts: AnimationParts) {
    super({ title: parts.title, description: parts.description, draw: () => animated(parts) });
    this.length = parts.frames.length;
    this.#parts = parts;
  }

  /** An animated GIF that begins anew at its end. */
  async toGIF(options: GifOptions = {}): Promise<Uint8Array> {
    const where = "toGIF";
    checkOptions(where, options, ["theme", "scale", "seconds", "fonts"]);
    const { scale = 1, theme, fonts: more } = options;
    const seconds = numberOption(where, "seconds", options.seconds ?? 1.2, 0.02, 60);
    if (!(scale > 0 && scale <= 4))
      throw new OptionError({
        where,
        problem: "scale is out of range",
        expected: "above 0, at most 4",
        received: String(scale),
      });
    const checked = await checkedPng({
      scale,
      ...(theme === undefined ? {} : { theme }),
      ...(more === undefined ? {} : { fonts: more }),
    });
    const { pixelsOf } = await import("./png.js");
    const pictures = [];
    for (const frame of this.#parts.frames) {
      const drawing = { ...this.#parts, body: this.#parts.background + frame };
      pictures.push(await pixelsOf(svgDocument(drawing, this, checked.theme), checked));
    }
    return gifOf(pictures, seconds);
  }
}

/** Seconds that a frame stays in the SVG. */
const STAY = 1.2;

/** All frames in one document; without motion, where the reader does not want any, the still one is seen. */
function animated({ width, height, background, frames, still }: AnimationParts): Drawing {
  const count = frames.length;
  if (count === 1) return { width, height, body: background + (frames[0] ?? "") };
  const percent = (i: number): string => `${Number(((100 * i) / count).toFixed(3))}%`;
  const name = (i: number): string => `torte-${count}-${i}`;
  const rules = frames.map((_, i) => {
    const steps = [
      ...(i === 0 ? [] : ["0%{opacity:0}"]),
      `${percent(i)}{opacity:1}`,
      ...(i === count - 1 ? [] : [`${percent(i + 1)}{opacity:0}`]),
    ];
    return `@keyframes ${name(i)}{${steps.join("")}}.${name(i)}{animation:${name(i)} ${Number((STAY * count).toFixed(2))}s step-end infinite}`;
  });
  const style = `<style>@media screen and (prefers-reduced-motion:no-preference){${rules.join("")}}</style>`;
  const groups = frames.map((frame, i) => el("g", { class: name(i), opacity: i === still ? undefined : 0 }, frame));
  return { width, height, body: style + background + groups.join("") };
}
