/** A short run of `npm run fuzz`: whatever the file, success or an error of Torte's own, soon. */
import { describe, expect, it } from "vitest";
import { fuzzBytes, fuzzModels, fuzzTraining, READERS, seedsOf } from "./fuzz.js";
import { modelFiles, NPY, SAFETENSORS, trainedFiles, ZIP } from "./fuzz-files.js";

/** Milliseconds, generous to a busy machine; a reader that hangs or copies without end takes far more. */
const SOON = 5000;

describe("changed files", () => {
  it.each([
    ["safetensors", SAFETENSORS],
    ["npy", NPY],
    ["npz", ZIP],
    ["zip", ZIP],
  ] as const)("of %s are read or refused", async (name, files) => {
    const { cases, refused, slowest } = await fuzzBytes(name, { read: READERS[name], files }, seedsOf(0, 500));
    expect(refused).toBeGreaterThan(cases / 2);
    expect(slowest).toBeLessThan(SOON);
  });

  it("of models are read or refused", async () => {
    const { cases, refused, slowest } = await fuzzModels(await modelFiles(), seedsOf(0, 10));
    expect(refused).toBeGreaterThan(cases / 2);
    expect(slowest).toBeLessThan(SOON);
  });

  it("of models with their training are read or refused", async () => {
    const { cases, refused, slowest } = await fuzzTraining(await trainedFiles(), seedsOf(0, 300));
    expect(refused).toBeGreaterThan(cases / 3);
    expect(slowest).toBeLessThan(SOON);
  });

  it("that are not changed are read", async () => {
    for (const file of SAFETENSORS) READERS.safetensors(file);
    for (const file of NPY) READERS.npy(file);
    for (const file of ZIP) READERS.npz(file);
    expect((await fuzzModels(await modelFiles(), [])).cases).toBe(0);
  });
});
