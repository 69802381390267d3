import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { readCases } from "./cases.js";
import { BACKENDS, nameOf, runCase } from "./run.js";

const folder = new URL("../../packages/torte/test/fixtures/conformance/", import.meta.url);
const files = [
  "layers.json",
  "keras.json",
  "losses.json",
  "metrics.json",
  "optimizers.json",
  "schedules.json",
  "updates.json",
].map((name) => fileURLToPath(new URL(name, folder)));
const cases = (await Promise.all(files.map(readCases))).flat();

describe.each(BACKENDS)("%s", (backend) => {
  it.each(cases.map((conformance, i) => ({ name: `${i} ${nameOf(conformance).slice(0, 120)}`, conformance })))(
    "$name",
    async ({ conformance }) => {
      const outcome = await runCase(conformance, backend);
      const unbuilt = ["circle", "ctc", "scatterUpdateOptimizer", "ftrl"].includes(conformance.name);
      expect(outcome.status, JSON.stringify(outcome)).toMatch(unbuilt ? /^not built$/ : /^(passed|departs)$/);
    },
  );
});
