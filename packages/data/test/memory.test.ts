/** Files larger than memory: what is read goes again, so that four times the file takes no more. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterAll, describe, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "torte-memory-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});
const reader = fileURLToPath(new URL("read-all.mjs", import.meta.url));

/** Rows and letters of a file, read by a process that has a heap of 32 MB, and MB of memory after a quarter and at the most after that. */
function readAll(file: string, rows: number): { rows: number; letters: number; quarter: number; most: number } {
  const told = execFileSync(process.execPath, ["--max-old-space-size=32", reader, file, String(rows)], {
    encoding: "utf8",
  });
  return JSON.parse(told) as ReturnType<typeof readAll>;
}

describe("a file larger than the heap", { timeout: 60_000 }, () => {
  it("of FASTA is read in memory that does not grow with it", () => {
    const [records, length] = [1e5, 600];
    const lines = Array.from({ length: 20 }, (_, i) => "ACDEFGHIKLMNPQRSTVWY"[i]?.repeat(60) ?? "");
    const path = join(folder, "long.fasta");
    const part = Array.from({ length: 1000 }, (_, i) => `>p${i}\n${lines.slice(i % 10, (i % 10) + 10).join("\n")}\n`);
    writeFileSync(path, part.join(""));
    for (let i = 1; i < records / 1000; i++) writeFileSync(path, part.join(""), { flag: "a" });
    const { rows, letters, quarter, most } = readAll(path, records);
    expect([rows, letters]).toEqual([records, records * length]);
    expect(most - quarter).toBeLessThan(60);
  });

  it("of Parquet is read in memory that does not grow with it", () => {
    const [groups, size, length] = [40, 4000, 400];
    // Each of its own, so that none is kept for several rows.
    const data = Array.from({ length: groups * size }, (_, i) => String(i).padEnd(length, "ACDEFGHIKLMNPQRSTVWY"));
    const path = join(folder, "long.parquet");
    const columnData = [{ name: "sequence", data, type: "STRING" as const }];
    writeFileSync(path, new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize: [size] })));
    const { rows, letters, quarter, most } = readAll(path, groups * size);
    expect([rows, letters]).toEqual([groups * size, groups * size * length]);
    expect(most - quarter).toBeLessThan(60);
  });
});
