/** Fuzzing: small changes to files and descriptions, told by a seed. */
import { TorteError } from "../errors.js";

/** Numbers below `n`, the same for the same seed (xorshift). */
export function dice(seed: number): (n: number) => number {
  let state = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) | 1;
  return (n) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % n;
  };
}

type Dice = ReturnType<typeof dice>;

const pick = <T>(roll: Dice, items: readonly T[]): T => items[roll(items.length)] as T;

const WORDS = [0, 1, 0x7f, 0xff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];

/** A file with one to eight of its places changed. */
export function mutateBytes(bytes: Uint8Array, roll: Dice): Uint8Array {
  let changed = [...bytes];
  for (let edits = 1 + roll(8); edits > 0; edits--) {
    const at = roll(changed.length + 1);
    const [length, to] = [roll(32), roll(changed.length + 1)];
    const edit = roll(7);
    if (edit === 0) changed[at] = roll(256);
    else if (edit === 1) changed[at] = (changed[at] ?? 0) ^ (1 << roll(8));
    else if (edit === 2) changed.splice(at, length);
    else if (edit === 3) changed.splice(at, 0, ...Array.from({ length }, () => roll(256)));
    else if (edit === 4) changed.splice(to, 0, ...changed.slice(at, at + length));
    else if (edit === 5) {
      const word = pick(roll, WORDS);
      for (let i = 0; i < 4; i++) changed[at + i] = (word >>> (8 * i)) & 255;
    } else if (roll(4) === 0) changed = changed.slice(0, at);
  }
  return Uint8Array.from(changed);
}

const STRANGE: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1,
  2,
  0.5,
  1e8,
  2 ** 31,
  2 ** 53,
  1e308,
  "",
  "x",
  "relu",
  "__proto__",
  "constructor",
  "\u001b[2J",
  "a/b",
  "x".repeat(5000),
  [],
  {},
  [1],
  [null],
  [0, 0],
  [1e8, 1e8],
  [[1]],
  [-1],
  { a: 1 },
  { $layer: 0 },
  { $layer: 1 },
  { $layer: "0" },
  { $layer: -1 },
  { $function: { factory: "activations.relu" } },
  { $function: { factory: "regularizers.l2", argument: "x" } },
  { $function: { factory: "initializers.constant", argument: { value: {} } } },
  { $function: { factory: "constraints.maxNorm", argument: null } },
  { $function: { factory: "activations.__proto__" } },
  { $function: null },
  { __proto__: null, $function: { factory: "x" } },
];

type Place = readonly [owner: Record<string, unknown>, key: string];

function places(value: unknown, found: Place[] = []): Place[] {
  if (typeof value !== "object" || value === null) return found;
  for (const key of Object.keys(value)) {
    found.push([value as Record<string, unknown>, key]);
    places((value as Record<string, unknown>)[key], found);
  }
  return found;
}

/** A JSON value with one to four of its parts replaced, removed, doubled, renamed or exchanged. */
export function mutateJson(value: unknown, roll: Dice): unknown {
  const changed: unknown = structuredClone(value);
  for (let edits = 1 + roll(4); edits > 0; edits--) {
    const all = places(changed);
    if (all.length === 0) break;
    const [owner, key] = pick(roll, all);
    const edit = roll(8);
    if (edit < 3) owner[key] = structuredClone(pick(roll, STRANGE));
    else if (edit === 3 && Array.isArray(owner)) owner.splice(Number(key), 1);
    else if (edit === 3) Reflect.deleteProperty(owner, key);
    else if (edit === 4 && Array.isArray(owner)) owner.splice(Number(key), 0, structuredClone(owner[Number(key)]));
    else if (edit === 4)
      owner[pick(roll, ["name", "x", "units", "activation", "network", "shape", "layer"])] = owner[key];
    else if (edit === 5 && typeof owner[key] === "number")
      owner[key] = pick(roll, [owner[key] + 1, owner[key] - 1, -owner[key], 1e9]);
    else {
      const [other, there] = pick(roll, all);
      if (edit === 6) owner[key] = structuredClone(other[there]);
      else [owner[key], other[there]] = [structuredClone(other[there]), structuredClone(owner[key])];
    }
  }
  return changed;
}

interface Described {
  readonly layers: readonly { options: Record<string, unknown> }[];
}

/** A description of a model with one to three options of one layer changed, `names` being options that layers may have. */
export function mutateOptions(value: unknown, names: readonly string[], roll: Dice): unknown {
  const changed = structuredClone(value) as Described;
  const layer = pick(roll, changed.layers);
  for (let edits = 1 + roll(3); edits > 0; edits--) {
    if (roll(3) === 0) layer.options = mutateJson(layer.options, roll) as Record<string, unknown>;
    else
      layer.options[pick(roll, roll(2) === 0 ? names : [...Object.keys(layer.options), "units"])] = structuredClone(
        pick(roll, STRANGE),
      );
  }
  return changed;
}

export interface Outcome {
  readonly refused: string | undefined;
  readonly milliseconds: number;
}

/** What a reader makes of it: success or an error of Torte's own. Anything else is thrown on, with the case's name. */
export async function outcomeOf(name: string, read: () => unknown): Promise<Outcome> {
  const started = performance.now();
  let refused: string | undefined;
  try {
    await read();
  } catch (error) {
    if (!(error instanceof TorteError)) throw new Error(`${name}: ${String(error)}`, { cause: error });
    refused = error.message;
  }
  return { refused, milliseconds: performance.now() - started };
}
