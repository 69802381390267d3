/** Files that were made to do harm, in `fixtures/hostile` with the script that writes them. */
import { readdirSync, readFileSync } from "node:fs";
import { loadModel, parseNpz, parseSafetensors, TorteError } from "torte";
import { describe, expect, it } from "vitest";

const folder = new URL("fixtures/hostile/", import.meta.url);
const names = readdirSync(folder).filter((name) => !name.endsWith(".mjs"));

const read = (name: string, bytes: Uint8Array): unknown => {
  if (name.endsWith(".npz")) return parseNpz(bytes, name);
  return name.startsWith("model-") ? loadModel(bytes, { backend: "reference" }) : parseSafetensors(bytes, name);
};

describe("a hostile file", () => {
  it("is there", () => {
    expect(names.length).toBeGreaterThan(25);
  });

  it.each(names)("is refused in less than a second, without allocating much: %s", async (name) => {
    const bytes = new Uint8Array(readFileSync(new URL(name, folder)));
    const before = process.memoryUsage();
    const started = process.cpuUsage();
    let error: unknown;
    try {
      await read(name, bytes);
    } catch (thrown) {
      error = thrown;
    }
    const { user, system } = process.cpuUsage(started);
    expect((user + system) / 1000).toBeLessThan(1000);
    const { arrayBuffers, heapUsed } = process.memoryUsage();
    expect(arrayBuffers - before.arrayBuffers).toBeLessThan(16e6);
    expect(heapUsed - before.heapUsed).toBeLessThan(64e6);
    expect(error).toBeInstanceOf(TorteError);
    const { message } = error as Error;
    expect(message.length).toBeLessThan(3000);
    expect(message).not.toMatch(/\p{Cc}/u);
  });
});
