import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterAll, describe, expect, it } from "vitest";
import { DataError, TorteError } from "torte";
import { openTable, readTable } from "@torte/data";
import { dice, mutateBytes } from "../../torte/src/testing/mutate.js";

const file = (rows: number, rowGroupSize: number, codec: "UNCOMPRESSED" | "SNAPPY" = "SNAPPY"): Uint8Array =>
  new Uint8Array(
    parquetWriteBuffer({
      codec,
      columnData: [
        { name: "seq", data: Array.from({ length: rows }, (_, i) => `MK${"ACDEFGH"[i % 7] ?? ""}`), type: "STRING" },
        { name: "score", data: Array.from({ length: rows }, (_, i) => i / 4), type: "DOUBLE" },
        { name: "soluble", data: Array.from({ length: rows }, (_, i) => i % 2 === 0), type: "BOOLEAN" },
        { name: "gaps", data: Array.from({ length: rows }, (_, i) => (i % 3 === 0 ? null : i)), type: "INT32" },
        { name: "count", data: Array.from({ length: rows }, (_, i) => BigInt(i)), type: "INT64" },
      ],
      rowGroupSize: [rowGroupSize],
    }),
  );
const folder = mkdtempSync(join(tmpdir(), "torte-parquet-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe("Parquet", () => {
  it("reads text, numbers, booleans and whole numbers, group by group, from bytes and from a file", async () => {
    const bytes = file(25, 10);
    const path = join(folder, "a.parquet");
    writeFileSync(path, bytes);
    for (const source of [bytes, path]) {
      const { columns, batches } = await openTable(source, { format: "parquet" });
      expect(columns).toEqual(["seq", "score", "soluble", "gaps", "count"]);
      const rows = [];
      const sizes = [];
      for await (const batch of batches) {
        rows.push(...batch.rows);
        sizes.push(batch.rows.length);
      }
      expect(sizes).toEqual([10, 10, 5]);
      expect(rows[23]).toEqual(["MKD", 5.75, "false", 23, 23]);
      expect(rows[24]?.[3]).toBe(null);
    }
    expect((await readTable(path, { columns: ["count"] })).columns).toEqual(["count"]);
  });

  it("refuses what is none", async () => {
    for (const bytes of [new Uint8Array(), new Uint8Array(100), file(5, 5).subarray(0, 60)])
      await expect(readTable(bytes, { format: "parquet" })).rejects.toThrow(DataError);
    for (const patience of [0, NaN, "1"])
      await expect(readTable(file(5, 5), { format: "parquet", patience: patience as number })).rejects.toThrow(
        "patience",
      );
  });

  it("gives up files that would keep it busy without end, also two at a time, and reads the next one", async () => {
    const folderOfHostile = fileURLToPath(new URL("fixtures/hostile/", import.meta.url));
    const names = readdirSync(folderOfHostile);
    expect(names.length).toBeGreaterThan(1);
    const read = (name: string): Promise<unknown> =>
      readTable(readFileSync(join(folderOfHostile, name)), { format: "parquet", patience: 0.5 });
    const refused = await Promise.allSettled(names.map(read));
    for (const result of refused) {
      expect(result.status).toBe("rejected");
      expect(String((result as PromiseRejectedResult).reason)).toContain(
        "this Parquet file cannot be read: received it takes longer than 0.5 s",
      );
    }
    expect((await readTable(file(25, 10), { format: "parquet" })).size).toBe(25);
  });

  it(
    "changed at random gives a table or an error of Torte's, soon, and no more memory",
    { timeout: 300_000 },
    async () => {
      const files = [file(40, 16, "UNCOMPRESSED"), file(40, 16)];
      const before = process.memoryUsage.rss();
      for (let seed = 0; seed < 500; seed++)
        for (const [i, whole] of files.entries()) {
          const started = performance.now();
          try {
            await readTable(mutateBytes(whole, dice(seed * files.length + i)), { format: "parquet", patience: 0.25 });
          } catch (error) {
            if (!(error instanceof TorteError)) throw error;
          }
          expect(performance.now() - started).toBeLessThan(30_000);
        }
      expect(process.memoryUsage.rss() - before).toBeLessThan(1.5e9);
    },
  );
});
