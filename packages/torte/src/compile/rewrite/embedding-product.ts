/**
 * A linear map of looked-up rows is a lookup in the mapped table: Σ_c E[i, c]·W[k, c, f] = (E·W)[k, i, f]. With few tokens
 * and many positions that saves almost all multiplications. Done before differentiation, so that the gradient is a
 * scatter into the small table, too.
 */
import { freeLabel } from "../../graph/labels.js";
import { iota, make } from "../../graph/make.js";
import { inputOf, type Node, type Program } from "../../graph/node.js";
import { add, einsum, gather, mul, pad, reshape, sum, transpose } from "../../ops/index.js";
import { sizeAt, sizeOf, stridesOf } from "../../tensor/shape.js";
import { rewriting } from "./rewrite.js";

/** Lookups move behind the linear maps that follow them, where that saves work. */
export function* premultiplyTables(program: Program): Generator<undefined, Program> {
  return yield* rewriting(program, (node) =>
    node.op === "contract" ? (premultiplied(node, 0) ?? premultiplied(node, 1) ?? node) : node,
  );
}

interface Lookup {
  readonly table: Node;
  readonly indices: Node;
}

/** The operand as rows of a table [tokens, width], looked up under padding and windows of its leading axes. */
function asLookup(operand: Node): Lookup | undefined {
  if (operand.op === "gather") {
    const [table, indices] = [inputOf(operand, 0), inputOf(operand, 1)];
    return table.shape.length === 2 ? { table, indices } : undefined;
  }
  if (operand.op !== "windows" && operand.op !== "pad") return undefined;
  const below = asLookup(inputOf(operand, 0));
  if (below === undefined) return undefined;
  if (operand.op === "windows") {
    const onIndices = operand.attributes.axis + operand.attributes.size.length <= below.indices.shape.length;
    return onIndices ? { ...below, indices: make("windows", [below.indices], operand.attributes) } : undefined;
  }
  const { low, high, interior, value } = operand.attributes;
  const last = low.length - 1;
  if (value !== 0 || low[last] !== 0 || high[last] !== 0 || interior[last] !== 0) return undefined;
  // Positions outside of the sequence look up a row of zeros behind the others.
  const outside = sizeAt(below.table.shape, 0);
  const indices = make("pad", [below.indices], {
    low: low.slice(0, -1),
    high: high.slice(0, -1),
    interior: interior.slice(0, -1),
    value: outside,
  });
  return {
    table: pad(below.table, [
      [0, 1],
      [0, 0],
    ]),
    indices,
  };
}

function premultiplied(node: Node & { op: "contract" }, which: 0 | 1): Node | undefined {
  const { out } = node.attributes;
  const [own, other] = which === 0 ? [node.attributes.a, node.attributes.b] : [node.attributes.b, node.attributes.a];
  const lookup = asLookup(inputOf(node, which));
  const width = [...own].at(-1);
  if (lookup === undefined || width === undefined || out.includes(width) || !other.includes(width)) return undefined;
  const taps = [...own.slice(0, -1)].filter((label) => other.includes(label));
  if (taps.some((label) => out.includes(label))) return undefined;
  const map = inputOf(node, which === 0 ? 1 : 0);
  if (!pays(lookup, map, taps.length === 0 ? 1 : sizeOf(taps.map((label) => sizeAt(map.shape, other.indexOf(label))))))
    return undefined;
  return lookUpMapped(lookup, map, { own, other, out, width, taps });
}

/** Multiplications before against multiplications for the table and two additions' worth for each lookup. */
function pays({ table, indices }: Lookup, map: Node, taps: number): boolean {
  const [rows = 1, width = 1] = table.shape;
  const features = sizeOf(map.shape) / (taps * width);
  const before = sizeOf(indices.shape) * width * features;
  const after = rows * taps * width * features + 2 * sizeOf(indices.shape) * features;
  return after < before;
}

interface Labels {
  readonly own: string;
  readonly other: string;
  readonly out: string;
  readonly width: string;
  readonly taps: readonly string[];
}

function lookUpMapped({ table, indices }: Lookup, map: Node, { own, other, out, width, taps }: Labels): Node {
  const features = [...other].filter((label) => label !== width && !taps.includes(label)).join("");
  const row = freeLabel(own + other);
  const products = einsum(`${row}${width},${other}->${taps.join("")}${row}${features}`, table, map);
  const [rows = 1] = table.shape;
  const featureShape = products.shape.slice(taps.length + 1);
  const tables = reshape(products, [-1, ...featureShape]);
  // Each tap has a table of its own, one after the other.
  const lead = own.slice(0, -1);
  const strides = stridesOf(taps.map((label) => sizeAt(map.shape, other.indexOf(label))));
  const shifted = taps.reduce(
    (at, label, i) => add(at, mul(iota(indices.shape, lead.indexOf(label)), rows * sizeAt(strides, i))),
    indices,
  );
  const looked = gather(tables, shifted);
  const total = taps.length === 0 ? looked : sum(looked, { axes: taps.map((label) => lead.indexOf(label)) });
  const labels = [...lead].filter((label) => !taps.includes(label)).join("") + features;
  return transpose(
    total,
    [...out].map((label) => labels.indexOf(label)),
  );
}
