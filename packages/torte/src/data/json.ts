/** JSON of unknown origin. What JSON.parse lets pass silently is refused: keys that come twice, and nesting without end. */
import { DataError } from "../errors.js";

/** Whatever walks through the values afterwards may be recursive. */
const DEEPEST = 64;

/**
 * The value of a JSON text. A key `__proto__` is an entry like any other, as JSON.parse has it.
 *
 * @throws DataError for what is no JSON, for an object with one key twice, and for lists and objects nested more than 64 deep.
 */
export function parseJson(text: string, where: string): unknown {
  checkStructure(text, where);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new DataError({
      where,
      problem: "this is no JSON",
      received: error instanceof Error ? error.message : String(error),
    });
  }
}

/** One pass over the text, which need not be JSON: what is none is left to JSON.parse. */
function checkStructure(text: string, where: string): void {
  /** Of each object that is open, its keys; of each list, undefined. */
  const open: (Set<string> | undefined)[] = [];
  let key = false;
  for (let i = 0; i < text.length; i++) {
    const letter = text[i];
    if (letter === '"') {
      const end = endOfString(text, i);
      if (key) addKey(open.at(-1), text.slice(i, end + 1), where);
      key = false;
      i = end;
    } else if (letter === "{" || letter === "[") {
      key = letter === "{";
      if (open.push(key ? new Set() : undefined) > DEEPEST)
        throw new DataError({ where, problem: "the JSON is nested too deeply", expected: `at most ${DEEPEST} levels` });
    } else if (letter === "}" || letter === "]") {
      open.pop();
      key = false;
    } else if (letter === ",") key = open.at(-1) !== undefined;
  }
}

/** Position of the closing quotation mark. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at;
}

function addKey(keys: Set<string> | undefined, literal: string, where: string): void {
  let key = literal;
  try {
    key = String(JSON.parse(literal)); // "a" and "\u0061" are one key
  } catch {
    return; // no JSON, which is said when all of it is read
  }
  if (keys?.has(key) === true)
    throw new DataError({ where, problem: `the key ${JSON.stringify(key)} comes twice in one object` });
  keys?.add(key);
}
