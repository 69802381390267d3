import "../tools.js";
import { afterEach, expect, it, vi } from "vitest";
import * as ops from "../ops/index.js";
import { Cases } from "../testing/compare.js";
import { lowered } from "../testing/run-loops.js";
import { debugs, passObserver, printLoops } from "./debug.js";

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

it("TORTE_DEBUG is a list of words, each of which shows one thing", () => {
  const written = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const output = ops.tanh(new Cases(1).float([8]));
  const [kernel] = lowered([output]).kernels;
  if (kernel === undefined) throw new Error("no kernel");
  printLoops(kernel);
  expect(passObserver()).toBeUndefined();
  expect(written).not.toHaveBeenCalled();
  vi.stubEnv("TORTE_DEBUG", "loops,passes");
  expect([debugs("loops"), debugs("passes"), debugs("memory"), debugs("profile")]).toEqual([true, true, false, false]);
  printLoops(kernel);
  passObserver()?.("a pass", { name: "p", outputs: [output], updates: [] });
  const lines = written.mock.calls.map(([text]) => String(text));
  expect(lines[0]).toMatch(/^kernel tanh\n/);
  expect(lines[1]).toMatch(/^--- a pass\n[^]*tanh/);
});
