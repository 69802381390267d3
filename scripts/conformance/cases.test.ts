import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Case, readCases } from "./cases.js";
import { runCase } from "./run.js";

describe("a file of cases", () => {
  it.each([
    ["{", "Expected property name or '}' in JSON at position 1"],
    ["null", "there is no list of cases"],
    ['{"cases": []}', "there is no list of cases"],
    ['{"cases": [{ "kind": "layer" }]}', "case 0 has no kind and name"],
  ])("with %s is refused", async (text, problem) => {
    const file = join(mkdtempSync(join(tmpdir(), "torte-cases-")), "cases.json");
    writeFileSync(file, text);
    await expect(readCases(file)).rejects.toThrow(`${file}: ${problem}`);
  });

  it("that is not there is refused", async () => {
    await expect(readCases("nowhere.json")).rejects.toThrow("nowhere.json: ENOENT");
  });
});

describe("a case", () => {
  it.each([
    [
      { kind: "strange", name: "dense" },
      { status: "not built", reason: 'kind "strange"' },
    ],
    [
      { kind: "loss", name: "nothing", options: {} },
      { status: "not built", reason: "there is no nothing" },
    ],
    [{ kind: "layer", name: "dense" }, { status: "failed" }],
  ])("%j is told apart", async (conformance, outcome) => {
    expect(await runCase(conformance as unknown as Case, "reference")).toMatchObject(outcome);
  });
});
