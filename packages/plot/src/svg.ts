/** Plain SVG as text, and what every figure's SVG has in common. */
import { COLOR, DARK, FONT, SIZE } from "./theme.js";

export type Attributes = Readonly<Record<string, string | number | undefined>>;

/** Text as it may stand in an element or an attribute. Letters that XML does not know fall away. */
export function escapeXml(text: string): string {
  return text
    .replaceAll(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, "")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

/** Two decimals are a hundredth of a pixel. */
const written = (value: string | number): string =>
  typeof value === "number" ? String(Number(value.toFixed(2)) || 0) : escapeXml(value);

/** A number within a path. */
export const num = (value: number): string => String(Number(value.toFixed(2)) || 0);

/** An element; attributes that are undefined are left out. */
export function el(name: string, attributes: Attributes, ...content: readonly string[]): string {
  const given = Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [` ${key}="${written(value)}"`],
  );
  const inside = content.join("");
  return inside === "" ? `<${name}${given.join("")}/>` : `<${name}${given.join("")}>${inside}</${name}>`;
}

/** A line of text. */
export function label(text: string, x: number, y: number, attributes: Attributes = {}): string {
  const all = { x, y, "font-size": SIZE.text, fill: COLOR.ink, ...attributes };
  return el("text", all, escapeXml(text));
}

export interface Drawing {
  readonly width: number;
  readonly height: number;
  /** The elements. */
  readonly body: string;
}

/** A whole document: a title and a description for who does not see it, and dark mode where the theme follows the page. */
export function svgDocument(drawing: Drawing, about: { title: string; description: string }, theme: Theme): string {
  const { width, height } = drawing;
  const body = rounded(drawing.body);
  const whole = unique(theme === "dark" ? darkened(body) : body);
  const attributes = {
    xmlns: "http://www.w3.org/2000/svg",
    class: "torte-figure",
    role: "img",
    "aria-label": about.title === "" ? about.description : `${about.title}. ${about.description}`,
    width: Math.ceil(width),
    height: Math.ceil(height),
    viewBox: `0 0 ${Math.ceil(width)} ${Math.ceil(height)}`,
    "font-family": FONT,
    style: "max-width:100%;height:auto",
  };
  return el(
    "svg",
    attributes,
    el("title", {}, escapeXml(about.title)),
    el("desc", {}, escapeXml(about.description)),
    theme === "auto" ? darkRules(whole) : "",
    whole,
  );
}

const PLACED =
  /\s(?:d|points|transform|x|y|x1|y1|x2|y2|cx|cy|r|rx|ry|dx|dy|width|height|values|(?:stroke-)?(?:width|dash(?:array|offset))|(?:fill-|stroke-)?opacity|offset)="[^"]*"/g;

/** Coordinates to a thousandth of a pixel, which nobody sees: digits behind that differ from one engine to another. */
const rounded = (body: string): string =>
  body.replaceAll(/<[a-z][^<>]*>/gi, (tag) =>
    tag.replaceAll(PLACED, (attribute) =>
      attribute.replaceAll(/-?\d*\.\d{4,}(?:e[-+]?\d+)?|-?\d+(?:\.\d*)?e[-+]?\d+/gi, (number) =>
        String(Number(Number(number).toFixed(3)) || 0),
      ),
    ),
  );

/** "auto": light, and dark where the reader's system is, on screens. */
export type Theme = "auto" | "light" | "dark";

const PAINT = /\b(fill|stroke|stop-color)="(#[0-9a-f]{6})"/g;

const darkened = (body: string): string =>
  body.replaceAll(PAINT, (_, what: string, color: string) => `${what}="${DARK.get(color) ?? color}"`);

/** Rules for the colours that are there; what is printed stays light. */
function darkRules(body: string): string {
  const rules = new Set<string>();
  for (const [, what = "", color = ""] of body.matchAll(PAINT)) {
    const dark = DARK.get(color);
    if (dark !== undefined) rules.add(`.torte-figure [${what}="${color}"]{${what}:${dark}}`);
  }
  return rules.size === 0 ? "" : `<style>@media screen and (prefers-color-scheme:dark){${[...rules].join("")}}</style>`;
}

/** Names of clips and gradients that no other figure in the page has, and that are the same each time: by the content. */
function unique(body: string): string {
  const names = [...new Set([...body.matchAll(/\bid="([^"]+)"/g)].map(([, name = ""]) => name))];
  if (names.length === 0) return body;
  const bare = names.reduce((text, name, i) => replaceId(text, name, `id${i}`), body);
  const mark = hash(bare);
  return names.reduce((text, name, i) => replaceId(text, name, `t${mark}-${i}`), body);
}

const replaceId = (text: string, name: string, other: string): string =>
  text
    .replaceAll(`id="${name}"`, `id="${other}"`)
    .replaceAll(`url(#${name})`, `url(#${other})`)
    .replaceAll(`href="#${name}"`, `href="#${other}"`);

/** FNV-1a. */
function hash(text: string): string {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return (h >>> 0).toString(36);
}
