import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterAll, describe, expect, it } from "vitest";
import { DataError } from "torte";
import { openTable, readTable } from "@torte/data";

const file = (rows: number, rowGroupSize: number): Uint8Array =>
  new Uint8Array(
    parquetWriteBuffer({
      columnData: [
        { name: "seq", data: Array.from({ length: rows }, (_, i) => `MK${"ACDEFGH"[i % 7] ?? ""}`), type: "STRING" },
        { name: "score", data: Array.from({ length: rows }, (_, i) => i / 4), type: "DOUBLE" },
        { name: "soluble", data: Array.from({ length: rows }, (_, i) => i % 2 === 0), type: "BOOLEAN" },
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
      expect(columns).toEqual(["seq", "score", "soluble", "count"]);
      const rows = [];
      const sizes = [];
      for await (const batch of batches) {
        rows.push(...batch.rows);
        sizes.push(batch.rows.length);
      }
      expect(sizes).toEqual([10, 10, 5]);
      expect(rows[23]).toEqual(["MKD", 5.75, "false", 23]);
    }
    expect((await readTable(path, { columns: ["count"] })).columns).toEqual(["count"]);
  });

  it("refuses what is none", async () => {
    for (const bytes of [new Uint8Array(), new Uint8Array(100), file(5, 5).subarray(0, 60)])
      await expect(readTable(bytes, { format: "parquet" })).rejects.toThrow(DataError);
  });
});
