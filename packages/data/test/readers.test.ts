import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { zipSync } from "fflate";
import { type Cell, DataError, type Table, TorteError } from "torte";
import { FORMATS, type FormatName, formatOf, openTable, readTable, type ReadTableOptions } from "@torte/data";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const rowsOf = (table: Table): Cell[][] =>
  Array.from({ length: table.size }, (_, i) => table.columns.map((name) => table.column(name)[i] ?? null));
const read = (text: string | Uint8Array, options: ReadTableOptions): Promise<Table> =>
  readTable(typeof text === "string" ? bytes(text) : text, options);
const message = async (promise: Promise<unknown>): Promise<string> => {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DataError);
  return (error as DataError).message;
};

/** Bytes in parts of the given size. */
// eslint-disable-next-line @typescript-eslint/require-await -- a stream of what is at hand
async function* inParts(all: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < all.length; at += size) yield all.subarray(at, at + size);
}

describe("CSV", () => {
  const csv = { format: "csv" } as const;

  it("reads quotes, quotes in quotes, line ends within quotes, CRLF, blank lines, a byte order mark", async () => {
    const table = await read('\ufeffid,"a, b"\r\n1,"say ""hi"""\r\n\r\n2,"two\r\nlines"\r\n3,\r\n', csv);
    expect(table.columns).toEqual(["id", "a, b"]);
    expect(rowsOf(table)).toEqual([
      ["1", 'say "hi"'],
      ["2", "two\r\nlines"],
      ["3", ""],
    ]);
  });

  it("gives back what was written, whatever the texts, in parts of any size, plain and gzip", async () => {
    const field = fc.string({ unit: fc.constantFrom("a", "é", "𝔸", '"', ",", ";", "\n", "\r\n", "\t", " ") });
    const table = fc.array(fc.tuple(field, field), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(table, fc.integer({ min: 1, max: 20 }), fc.boolean(), async (rows, size, packed) => {
        const quoted = rows.map((row) => row.map((text) => `"${text.replaceAll('"', '""')}"`).join(",")).join("\n");
        const file = bytes(`x,y\n${quoted}`);
        const stream = inParts(packed ? gzipSync(file) : file, size);
        expect(rowsOf(await readTable(stream, csv))).toEqual(rows);
      }),
      { numRuns: 60 },
    );
  });

  it("reads lines and fields in quotes as one, wherever the first quote comes, with the same line numbers", async () => {
    const field = fc.string({ unit: fc.constantFrom("a", "é", "𝔸", ";", " ", "0"), minLength: 1 });
    const table = fc.array(fc.tuple(field, field), { minLength: 1, maxLength: 12 });
    const places = fc.record({ quoted: fc.nat(14), blank: fc.nat(14), wide: fc.nat(30) });
    await fc.assert(
      fc.asyncProperty(table, fc.integer({ min: 1, max: 40 }), places, async (rows, size, { quoted, blank, wide }) => {
        const linesOf = (quote: boolean): string[] => [
          "x,y",
          ...rows.flatMap(([x, y], i) => [
            ...(i === blank ? [""] : []),
            `${quote && i >= quoted ? `"${x}"` : x},${y}${i === wide ? ",z" : ""}`,
          ]),
        ];
        const outcome = async (quote: boolean): Promise<unknown> => {
          try {
            const read = await readTable(inParts(bytes(linesOf(quote).join("\n")), size), csv);
            return [read.columns, read.lines, rowsOf(read)];
          } catch (error) {
            return /^table: line \d+: the row has another/.exec((error as Error).message)?.[0];
          }
        };
        const plain = await outcome(false);
        expect(plain).toBeDefined();
        expect(await outcome(true)).toEqual(plain);
        if (wide < rows.length)
          expect(plain).toBe(`table: line ${wide + 2 + Number(blank <= wide)}: the row has another`);
      }),
      { numRuns: 100 },
    );
  });

  it("takes semicolons and tabs where the header has them, and says otherwise with delimiter", async () => {
    expect((await read("a;b\n1;2\n", csv)).columns).toEqual(["a", "b"]);
    expect((await read("a\tb\n1\t2\n", csv)).columns).toEqual(["a", "b"]);
    expect((await read("a|b\n1|2\n", { ...csv, delimiter: "|" })).columns).toEqual(["a", "b"]);
    expect(rowsOf(await read("a\tb\n1,5\t2\n", { format: "tsv" }))).toEqual([["1,5", "2"]]);
    expect(rowsOf(await read("1,2\n3,4\n", { ...csv, header: false }))).toEqual([
      ["1", "2"],
      ["3", "4"],
    ]);
    expect((await read("1,2\n", { ...csv, header: ["x", "y"] })).columns).toEqual(["x", "y"]);
    expect((await read("# made by hand\na,b\n1,2\n", { ...csv, comment: "#" })).size).toBe(1);
  });

  it("knows the encoding by the mark, or as it is told", async () => {
    const latin = Uint8Array.of(0x61, 0x0a, 0xe9, 0x0a);
    expect(rowsOf(await read(latin, { ...csv, encoding: "windows-1252" }))).toEqual([["é"]]);
    expect(await message(read(latin, csv))).toBe(
      'table: the bytes are no utf-8 text, in line 1 or soon after. Say the encoding, as in encoding: "windows-1252".',
    );
    const wide = new Uint8Array(Uint16Array.from("\ufeffa\né\n", (c) => c.charCodeAt(0)).buffer);
    expect(rowsOf(await read(wide, csv))).toEqual([["é"]]);
    expect(await message(read("a\n1\n", { ...csv, encoding: "klingon" }))).toContain("the encoding is unknown");
  });

  it("says the line of what is broken", async () => {
    expect(await message(read('a,b\n1,2\n3,"4\n5,6\n', csv))).toMatch(
      /^table: line 3 or soon after: a quote is opened and never closed/,
    );
    expect(await message(read('a,b\n1,2\n3,"4"x\n', csv))).toMatch(/^table: line 3: something follows a closing quote/);
    expect(await message(read('a,b\n1,2\n3,4"5"\n', csv))).toMatch(/^table: line 3: a quote stands within a field/);
    expect(await message(read("a,b\n1,2\n3,4,5\n", csv))).toMatch(
      /^table: line 3: the row has another number of fields/,
    );
  });

  it("refuses what has no rows, no names or is something else", async () => {
    expect(await message(read("", csv))).toBe("table: there are no rows: received an empty file.");
    expect(await message(read("a,b\n", csv))).toBe("table: there are no rows: received a header only.");
    expect(await message(read("a,a\n1,2\n", csv))).toBe('table: the column "a" comes twice in the header.');
    expect(await message(read("a,\n1,2\n", csv))).toBe("table: column 2 of the header has no name.");
    expect(await message(read("<!DOCTYPE html><html>\n", csv))).toBe(
      "table: this is no data: received a page of HTML.",
    );
    expect(await message(read(Uint8Array.of(0x89, 0x48, 0x44, 0x46, 13, 10), csv))).toBe(
      "table: this is no text: received an HDF5 file.",
    );
    expect(await message(read("PK\u0003\u0004aaaa", csv))).toContain("a zip archive");
    expect(await message(read("a\n1\n\0\n", csv))).toMatch(/a zero byte is in line 3/);
    expect(await message(read("sequence\nM\n", { ...csv, columns: ["sequnce"] }))).toBe(
      'table: there is no column "sequnce": expected one of "sequence". Did you mean "sequence"?',
    );
  });

  it("keeps memory small and knows lines in a file larger than what is read at once", async () => {
    const row = `${"0.123456,".repeat(9)}1\n`;
    const endless = (async function* (): AsyncGenerator<Uint8Array> {
      yield bytes("a,b,c,d,e,f,g,h,i,j\n");
      const part = bytes(row.repeat(1000));
      for (let i = 0; i < 60; i++) yield await Promise.resolve(part);
    })();
    let rows = 0;
    let last = 0;
    const told: number[] = [];
    const { batches } = await openTable(endless, { ...csv, onProgress: (n) => told.push(n) });
    for await (const batch of batches) {
      rows += batch.rows.length;
      expect(batch.rows.length).toBeLessThan(3000);
      last = batch.lines.at(-1) ?? last;
    }
    expect([rows, last, told.at(-1)]).toEqual([60_000, 60_001, 60_000]);
  });
});

describe("FASTA", () => {
  const fasta = { format: "fasta" } as const;

  it("joins lines, knows comments, stars, blanks, CRLF and lower case", async () => {
    const table = await read("; a comment\n>P1 first one\r\nMK V\r\nla*\r\n\n>P2\nMMK", fasta);
    expect(rowsOf(table)).toEqual([
      ["P1", "first one", "MKVLA"],
      ["P2", "", "MMK"],
    ]);
    expect(table.lines).toEqual([2, 6]);
    expect((await read(">a\nacgt\n", { ...fasta, letterCase: "keep" })).column("sequence")).toEqual(["acgt"]);
  });

  it("takes labels from the header", async () => {
    const table = await read(">a soluble=1\nMK\n>b soluble=0\nMV\n", { ...fasta, label: /soluble=(\d)/g });
    expect(table.column("label")).toEqual(["1", "0"]);
    expect(await message(read(">a\nMK\n", { ...fasta, label: /soluble=(\d)/ }))).toContain(
      "table: line 1: the header has no label",
    );
  });

  it("gives back what was written, in parts of any size", async () => {
    const sequence = fc.string({ unit: fc.constantFrom(..."ACDEFGHIKLMNPQRSTVWY"), minLength: 1, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(fc.array(sequence, { minLength: 1 }), fc.integer({ min: 1, max: 9 }), async (all, size) => {
        const text = all.map((s, i) => `>s${i}\n${s.replaceAll(/.{1,7}/g, "$&\n")}`).join("");
        expect((await readTable(inParts(bytes(text), size), fasta)).column("sequence")).toEqual(all);
      }),
      { numRuns: 60 },
    );
  });

  it("says the line of what is no FASTA", async () => {
    expect(await message(read("MKV\n>a\nM\n", fasta))).toBe(
      'table: line 1: this is no FASTA: expected a line that begins with >, received \\"MKV\\".'.replaceAll("\\", ""),
    );
    expect(await message(read(">a\nM\n>b\n>c\nM\n", fasta))).toBe('table: line 3: "b" has no sequence.');
    expect(await message(read(">\nM\n", fasta))).toContain("line 1: the record has no name");
  });
});

describe("JSON lines", () => {
  const jsonl = { format: "jsonl" } as const;

  it("reads text, numbers, booleans and what is missing", async () => {
    const table = await read('{"a":"x","b":1.5,"c":true}\n\n{"b":null,"a":"y"}\n', jsonl);
    expect(rowsOf(table)).toEqual([
      ["x", 1.5, "true"],
      ["y", null, null],
    ]);
    expect(table.lines).toEqual([1, 3]);
  });

  it("says the line of what is broken", async () => {
    expect(await message(read('{"a":1}\n{"a":\n', jsonl))).toContain("table: line 2: this is no JSON");
    expect(await message(read('{"a":1}\n[1]\n', jsonl))).toContain("line 2: this is no object");
    expect(await message(read('{"name":1}\n{"nane":2}\n', jsonl))).toContain('Did you mean "name"?');
    expect(await message(read('{"a":{"b":1}}\n', jsonl))).toContain("line 1: a: the value is no cell");
  });
});

/** An array of float32 as NumPy writes it. */
const npy = (shape: readonly number[], values: readonly number[]): Uint8Array => {
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(", ")},), }`.padEnd(117) + "\n";
  const start = [0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, 118, 0, ...new TextEncoder().encode(header)];
  return Uint8Array.from([...start, ...new Uint8Array(Float32Array.from(values).buffer)]);
};

describe("files", () => {
  const folder = mkdtempSync(join(tmpdir(), "torte-data-"));
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it("are known by their names, plain or gzip, by path and as a Blob", async () => {
    expect(
      ["a.CSV", "b.tsv.gz", "c.fa", "d.ndjson", "e.parquet", "f.h5", "http://x.org/y.csv?z=1"].map(formatOf),
    ).toEqual(["csv", "tsv", "fasta", "jsonl", "parquet", undefined, "csv"]);
    const path = join(folder, "a.csv.gz");
    writeFileSync(path, gzipSync("a,b\n1,2\n"));
    expect(rowsOf(await readTable(path))).toEqual([["1", "2"]]);
    const dropped = new File([">a\nMK\n"], "dropped.fasta");
    expect((await readTable(dropped)).column("id")).toEqual(["a"]);
    expect(await message(readTable(join(folder, "a.xyz")))).toContain("the format is not known by the file's name");
    expect(await message(readTable(join(folder, "none.csv")))).toContain("the file cannot be read");
    expect(await message(readTable(folder, { format: "csv" }))).toContain("the file cannot be read");
  });

  it("npz: arrays side by side are columns, and those of different lengths or of three axes are refused", async () => {
    const x = npy([3, 2], [1, 2, 3, 4, NaN, 6]);
    const path = join(folder, "a.npz");
    writeFileSync(path, zipSync({ "x.npy": x, "y.npy": npy([3], [0, 1, 0]) }));
    const table = await readTable(path);
    expect(table.columns).toEqual(["x_0", "x_1", "y"]);
    expect(rowsOf(table)).toEqual([
      [1, 2, 0],
      [3, 4, 1],
      [null, 6, 0],
    ]);
    for (const other of [npy([2], [0, 1]), npy([3, 1, 1], [0, 1, 2])])
      expect(await message(readTable(zipSync({ "x.npy": x, "y.npy": other }), { format: "npz" }))).toContain(
        "table: y: the array is no column, nor several: expected [3] or [3, columns]",
      );
    expect(await message(readTable(new Uint8Array(), { format: "npz" }))).toContain("cut short or corrupt");
  });

  it("of gzip that are cut short or changed are refused", async () => {
    const whole = gzipSync(`a,b\n${"1,2\n".repeat(5000)}`);
    for (const cut of [whole.subarray(0, 10), whole.subarray(0, whole.length - 5)])
      expect(await message(readTable(cut, { format: "csv" }))).toContain("the gzip is cut short or corrupt");
    const changed = Uint8Array.from(whole);
    changed[whole.length - 6]! ^= 0xff;
    expect(await message(readTable(changed, { format: "csv" }))).toContain("the gzip is cut short or corrupt");
  });
});

describe("any bytes", () => {
  const files: Readonly<Record<Exclude<FormatName, "parquet" | "images">, string | Uint8Array>> = {
    csv: 'id,seq,"y"\n1,MKV,0\n2,"MM\nK",1\n',
    tsv: "id\tseq\n1\tMKV\n2\tMMK\n",
    fasta: ">a x\nMKV\nLA*\n;c\n>b\nMMK\n",
    jsonl: '{"a":"x","b":1}\n{"a":"y","b":null}\n',
    npz: zipSync({ "x.npy": npy([2, 2], [1, 2, 3, 4]), "y.npy": npy([2], [0, 1]) }),
  };
  const changes = fc.array(
    fc.record({
      at: fc.nat(1000),
      byte: fc.oneof(fc.nat(255), fc.constantFrom(...bytes('"\n\r\t,;>{}[]\\\0'))),
      how: fc.constantFrom("set", "insert", "remove", "repeat"),
    }),
    { maxLength: 6 },
  );
  const change = (file: Uint8Array, edits: readonly { at: number; byte: number; how: string }[]): Uint8Array => {
    const list = [...file];
    for (const { at, byte, how } of edits) {
      const place = at % Math.max(1, list.length);
      if (how === "set") list[place] = byte;
      else if (how === "insert") list.splice(place, 0, byte);
      else if (how === "remove") list.splice(place, 1);
      else list.splice(place, 0, ...list.slice(0, place));
    }
    return Uint8Array.from(list);
  };

  it.each(Object.entries(files))(
    "changed at random in %s give a table or an error of Torte's, soon",
    async (format, text) => {
      await fc.assert(
        fc.asyncProperty(changes, fc.boolean(), async (edits, packed) => {
          const raw = typeof text === "string" ? bytes(text) : text;
          const plain = packed ? gzipSync(raw) : raw;
          try {
            await readTable(change(plain, edits), { format: format as keyof typeof files });
          } catch (error) {
            if (!(error instanceof TorteError)) throw error;
          }
        }),
        { numRuns: 1000 },
      );
    },
  );

  it("has a case for each format", () => {
    // Parquet and images have tests of their own.
    expect([...Object.keys(files), "parquet", "images"].sort()).toEqual(Object.keys(FORMATS).sort());
  });
});
