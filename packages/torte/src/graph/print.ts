/** Programs as text, for people and for golden snapshots. */
import { entryOf, formatShape } from "../tensor/shape.js";
import { type Node, type Program, roots, topological } from "./node.js";

function attributesOf(node: Node): string {
  switch (node.op) {
    case "state":
      return node.attributes.state.name;
    case "contract":
      return `${node.attributes.a},${node.attributes.b}->${node.attributes.out}`;
    case "linearMap": {
      const { axis, to, matrix } = node.attributes;
      return `axis=${axis} to=${to} matrix=${formatShape([matrix.length, matrix[0]?.length ?? 0])}`;
    }
    default:
      return Object.entries(node.attributes)
        .map(([name, value]) =>
          Array.isArray(value) ? `${name}=${formatShape(value as number[])}` : `${name}=${String(value)}`,
        )
        .join(" ");
  }
}

/** The same text for equal attributes of one primitive. */
export function attributesKey({ attributes }: Node): string {
  if (Object.keys(attributes).length === 0) return "";
  const text = JSON.stringify(attributes);
  if (!("value" in attributes)) return text;
  // JSON has no infinities, no NaN and only one zero.
  return `${text}${Object.is(attributes.value, -0) ? "-0" : String(attributes.value)}`;
}

/** One line for each node, numbered in the order in which they are computed, then the outputs and updates. */
export function print(program: Program): string {
  const numbers = new Map<Node, string>();
  const name = (node: Node): string => entryOf(numbers, node);
  const lines = [`program ${program.name}`];
  for (const node of topological(roots(program))) {
    numbers.set(node, `%${numbers.size}`);
    const attributes = attributesOf(node);
    const inputs = node.inputs.length === 0 ? "" : ` ${node.inputs.map(name).join(" ")}`;
    const origin = node.origin === "" ? "" : `  # ${node.origin}`;
    lines.push(
      `  ${name(node)} = ${node.op}${attributes === "" ? "" : `[${attributes}]`}${inputs} : ${node.dtype}${formatShape(node.shape)}${origin}`,
    );
  }
  program.outputs.forEach((node, i) => lines.push(`  output ${i} = ${name(node)}`));
  for (const { state, value } of program.updates) lines.push(`  ${state.name} <- ${name(value)}`);
  return lines.join("\n");
}
