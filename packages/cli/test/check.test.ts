/** `torte check` in a shell. */
import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { experimentFolder, torte } from "./command.js";

describe("torte check", { timeout: 180_000 }, () => {
  it("tells all five steps, writes nothing, and ends with 0 where all pass", async () => {
    const folder = experimentFolder(
      ["dense({ units: 1,", 'dense({ units: 16, activation: "tanh" }), dense({ units: 1,'],
      ["i) > 0 ? 1 : 0", "i) > 0.3 ? 1 : 0"],
    );
    const { status, out, error } = await torte(folder, "check", "tiny.ts", "--seed", "1");
    expect({ status, error }).toEqual({ status: 0, error: "" });
    for (const step of ["loss at the start: passed", "overfit one batch: passed", "shuffled labels: passed"])
      expect(out).toContain(step);
    expect(out).toContain("zero input: passed");
    expect(out).toContain("gradient norm");
    expect(out).toContain("Nothing stands in the way of a run.");
    expect(readdirSync(folder)).toEqual(["tiny.ts"]);
  });

  it("ends with 1 where one fails, and with 2 for an error", async () => {
    const deaf = experimentFolder(
      ["import { dense,", "import { dense, lambda, ops,"],
      ["dense({ units: 1,", "lambda((x) => ops.mul(x, 0)), dense({ units: 1,"],
    );
    const failed = await torte(deaf, "check", "tiny.ts");
    expect(failed.status).toBe(1);
    expect(failed.out).toContain("overfit one batch: FAILED.");
    expect(failed.out).toContain("of 5 failed.");
    const error = await torte(deaf, "check", "tiny.ts", "--epochs", "3");
    expect([error.status, error.error]).toEqual([2, expect.stringContaining("Error: unknown option '--epochs'")]);
  });
});
