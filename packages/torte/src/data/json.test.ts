import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DataError } from "../errors.js";
import { parseJson } from "./json.js";
import { among, type Check, checkSchema, fields, label, list, nullOr, record, truth, whole } from "./schema.js";

describe("JSON of unknown origin", () => {
  it("means what JSON.parse says, wherever no key comes twice", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 8 }), (text) => {
        expect(parseJson(text, "x")).toEqual(JSON.parse(text));
      }),
    );
  });

  it("is refused with a key twice, wherever that stands and however it is written", () => {
    const key = fc.constantFrom('"a"', '"\\u0061"', '"\\ud83d\\ude00"', '"😀"', '"__proto__"', '""', '"\\""', '"}"');
    fc.assert(
      fc.property(fc.array(key, { minLength: 1, maxLength: 6 }), fc.nat(3), (keys, depth) => {
        const inner = `{${keys.map((name) => `${name}: [{"a": "{\\"a\\":1"}, 2]`).join(", ")}}`;
        const text = `${'{"o": ['.repeat(depth)}${inner}${"]}".repeat(depth)}`;
        const names = keys.map((name) => JSON.parse(name) as string);
        const read = (): unknown => parseJson(text, "x");
        if (new Set(names).size < names.length) expect(read).toThrow(/^x: the key ".*" comes twice in one object\.$/);
        else expect(read()).toEqual(JSON.parse(text));
      }),
    );
  });

  it("that is none is a DataError", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        let fits = true;
        try {
          JSON.parse(text);
        } catch {
          fits = false;
        }
        if (!fits) expect(() => parseJson(text, "x")).toThrow(DataError);
      }),
    );
    for (const text of ["{", '"', '{"a"', '{"a":1,}', '{"\\u00":1,"\\u00":2}', "]", '{"a":1}}'])
      expect(() => parseJson(text, "x"), text).toThrow(/^x: this is no JSON: received /);
    expect(parseJson(`${"[".repeat(64)}${"]".repeat(64)}`, "x")).toHaveLength(1);
    expect(() => parseJson("[".repeat(65), "x")).toThrow(
      "x: the JSON is nested too deeply: expected at most 64 levels.",
    );
  });
});

describe("a schema", () => {
  const check: Check = fields(
    { name: label, sizes: list(nullOr(whole(1, 9)), 1), kind: among("a", "b") },
    { optional: { by: record(truth) } },
  );
  const good = { name: "n", sizes: [1, null], kind: "a" };
  it.each<[unknown, string]>([
    [{ ...good, name: "" }, 'at name: expected a name of 1 to 1000 letters on one line, received ""'],
    [{ ...good, name: "a\nb" }, "at name: expected a name of 1 to 1000 letters on one line"],
    [{ ...good, sizes: [] }, "at sizes: expected a list of at least 1, received []"],
    [{ ...good, sizes: [1, 10] }, "at sizes[1]: expected a whole number from 1 to 9, received 10"],
    [{ ...good, sizes: { length: 1 } }, "at sizes: expected a list of at least 1, received { length: 1 }"],
    [{ ...good, kind: "c" }, 'at kind: expected "a" or "b", received "c"'],
    [{ ...good, by: { x: true, y: 1 } }, "at by.y: expected true or false, received 1"],
    [{ ...good, more: 1 }, "at more: expected only name, sizes, kind, by, received 1"],
    [{ name: "n", sizes: [1] }, 'at kind: expected "a" or "b", received nothing'],
    [null, ": expected an object with name, sizes, kind, received null"],
    [[], ": expected an object with name, sizes, kind, received []"],
    [Object.create(good), "at name: expected a name"],
  ])("names the place of a fault: %j", (value, message) => {
    expect(() => {
      checkSchema(value, check, "file", "it is corrupt");
    }).toThrow(message.startsWith(":") ? `file: it is corrupt${message}` : `file: it is corrupt ${message}`);
  });
  it("takes what fits", () => {
    for (const value of [good, { ...good, by: {} }, { ...good, by: undefined }])
      expect(check(value, "")).toBeUndefined();
  });
});
