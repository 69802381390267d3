import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readJournal } from "@torte/tune";
import { runKilled } from "./kill/harness.js";

const root = mkdtempSync(join(tmpdir(), "torte-workers-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("workers", () => {
  it("make the same reproducible study, however many there are, and whoever is killed", async () => {
    let state = 12345;
    const random = (): number => (state = (state * 1103515245 + 12345) % 2 ** 31) / 2 ** 31;
    const base = { trials: 10, random };
    const one = await runKilled({ ...base, folder: join(root, "one"), workers: 1, kills: 0 });
    const killed = await runKilled({ ...base, folder: join(root, "killed"), workers: 3, kills: 6 });
    expect(JSON.parse(killed.result)).toEqual(JSON.parse(one.result));
    const { facts } = JSON.parse(killed.result) as { facts: { state: string; confirmed: unknown[] }[] };
    expect(facts).toHaveLength(10);
    expect(facts.every(({ state: end }) => end === "complete" || end === "pruned")).toBe(true);
    expect(facts.filter(({ confirmed }) => confirmed.length === 2)).toHaveLength(2);
    // Nothing is told twice, and no checkpoint of an ended trial is left.
    const events = readJournal(join(root, "killed")).filter(({ event }) => event === "epoch" || event === "trial");
    const keys = events.map((event) =>
      JSON.stringify([event.event, "trial" in event ? event.trial : 0, "epoch" in event ? event.epoch : 0]),
    );
    expect(new Set(keys).size).toBe(keys.length);
    expect(readdirSync(join(root, "killed", "trials"))).toEqual([]);
  }, 300_000);
});
