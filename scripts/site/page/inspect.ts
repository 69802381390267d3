/** Values as `console.log` of Node shows them, on one line. */

const CUSTOM = Symbol.for("nodejs.util.inspect.custom");
const DEEPEST = 2;
const MOST = 100;

const quoted = (text: string): string =>
  text.includes("'") ? JSON.stringify(text) : `'${text.replaceAll("\n", "\\n")}'`;

function entries(items: readonly string[], open: string, close: string): string {
  return items.length === 0 ? `${open}${close}` : `${open} ${items.join(", ")} ${close}`;
}

function list(values: readonly unknown[], depth: number): string {
  const shown = values.slice(0, MOST).map((value) => nested(value, depth + 1));
  const left = values.length - shown.length;
  return entries(left > 0 ? [...shown, `... ${left} more item${left > 1 ? "s" : ""}`] : shown, "[", "]");
}

function object(value: object, depth: number): string {
  const name = value.constructor.name;
  const prefix = name === "Object" ? "" : `${name} `;
  if (depth > DEEPEST) return `[${name}]`;
  if (value instanceof Map)
    return `Map(${value.size}) ${entries([...value].map(([k, v]) => `${nested(k, depth + 1)} => ${nested(v, depth + 1)}`), "{", "}")}`; // prettier-ignore
  const key = (name: string): string => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : quoted(name));
  return (
    prefix +
    entries(
      Object.entries(value).map(([k, v]) => `${key(k)}: ${nested(v, depth + 1)}`),
      "{",
      "}",
    )
  );
}

function nested(value: unknown, depth: number): string {
  if (typeof value === "string") return quoted(value);
  if (Object.is(value, -0)) return "-0";
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return value.name === "" ? "[Function (anonymous)]" : `[Function: ${value.name}]`;
  if (typeof value !== "object" || value === null) return String(value);
  if (value instanceof Error) return value.stack ?? String(value);
  const custom = (value as Record<symbol, unknown>)[CUSTOM];
  if (typeof custom === "function") return String(custom.call(value, DEEPEST - depth, {}));
  if (Array.isArray(value)) return depth > DEEPEST ? "[Array]" : list(value, depth);
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    const array = value as unknown as ArrayLike<number>;
    return `${value.constructor.name}(${array.length}) ${list(Array.from(array), depth)}`;
  }
  return object(value, depth);
}

export const inspect = (value: unknown): string => (typeof value === "string" ? value : nested(value, 0));
