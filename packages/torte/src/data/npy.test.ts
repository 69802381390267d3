import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runInNewContext } from "node:vm";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { deflateSync } from "fflate";
import { afterAll, describe, expect, it } from "vitest";
import { DataError } from "../errors.js";
import { type Tensor, tensor } from "../tensor/tensor.js";
import { loadNpy, loadNpz, parseNpy, parseNpz } from "./npy.js";
import { readSource } from "./source.js";
import { crc32, readZip } from "./zip.js";

// Written by NumPy itself: make.py beside them.
const folder = new URL("../../test/fixtures/numpy/", import.meta.url);
const fixture = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, folder)));

interface Expected {
  readonly shape: number[];
  readonly values: (number | string)[];
}
const expected = JSON.parse(readFileSync(new URL("expected.json", folder), "utf8")) as Record<string, Expected>;

/** Equal where reading gives the same arrays; the message of the DataError where it gives none. Anything else fails. */
function outcome<T>(read: () => T): T | string {
  try {
    return read();
  } catch (error) {
    expect(error).toBeInstanceOf(DataError);
    return (error as Error).message;
  }
}

const contents = (arrays: Record<string, Tensor>): unknown =>
  Object.entries(arrays).map(([name, { shape, dtype, data }]) => [name, shape, dtype, [...data]]);

describe("npz archives written by NumPy", () => {
  it.each(["stored.npz", "deflated.npz"])("are read in all types, byte orders and layouts: %s", async (name) => {
    const arrays = await loadNpz(new URL(name, folder));
    expect(Object.keys(arrays)).toEqual(Object.keys(expected));
    for (const [key, { shape, values }] of Object.entries(expected)) {
      const array = arrays[key];
      expect(array?.shape, key).toEqual(shape);
      expect([...(array?.data ?? [])], key).toEqual(values.map(Number));
      const byte = { i1: "int8", u1: "uint8" }[key.slice(0, 2)];
      expect(array?.dtype, key).toBe(
        key === "bool" ? "bool" : /^(special_)?f\d|rows|fortran_4/.test(key) ? "float32" : (byte ?? "int32"),
      );
    }
  });

  it.each([1, 2, 3])("and npy version %d", (version) => {
    const array = parseNpy(fixture(`version${version}.npy`));
    expect([...array.data]).toEqual(expected.i8_little?.values);
  });

  it("come from paths, addresses and bytes alike", async () => {
    const bytes = fixture("small.npz");
    const known = contents(parseNpz(bytes));
    const url = new URL("small.npz", folder);
    const server = createServer((request, response) => {
      response.writeHead(request.url === "/small.npz" ? 200 : 404).end(bytes);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const web = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      const inLarger = new Uint8Array(bytes.length + 7).fill(80);
      inLarger.set(bytes, 7);
      const sources = [
        url,
        url.href,
        url.pathname,
        bytes,
        bytes.slice().buffer,
        inLarger.subarray(7),
        `${web}/small.npz`,
      ];
      for (const source of sources) expect(contents(await loadNpz(source))).toEqual(known);
      await expect(loadNpz(`${web}/other.npz`)).rejects.toThrow(
        new DataError({
          where: `${web}/other.npz`,
          problem: "the download failed",
          expected: "status 200",
          received: "404",
        }),
      );
    } finally {
      server.close();
    }
    await expect(loadNpz(`${web}/small.npz`)).rejects.toThrow("the download failed");
    expect((await loadNpy(new URL("version1.npy", folder))).shape).toEqual([3, 4]);
  });
});

describe("what is no array of numbers", () => {
  it.each([
    ["text.npy", /^npy: the array's type is not supported: expected b1, .*, received '<U2'\. Convert it with astype/],
    ["complex.npy", /received '<c16'/],
    ["record.npy", /received \[\('a', '<i4'\), \('b', '<f4'\)\]/],
    [
      "large.npy",
      /^npy: element \(1, 1\) is too large for int32: expected -2147483648 to 2147483647, received 2147483648\.$/,
    ],
    ["large_fortran.npy", /element \(1, 0\) is too large for int32: .* received 1099511627776/],
    ["huge.npy", /element \(1,\) is too large for float32: expected -3.4e38 to 3.4e38, received 1e\+300/],
    ["small.npz", /^npy: this is no npy array: expected 93 4e 55 4d 50 59 .*, received 50 4b 03 04 [0-9a-f ]+\.$/],
  ])("is named: %s", (name, message) => {
    expect(outcome(() => parseNpy(fixture(name)))).toMatch(message);
  });

  it.each([
    ["objects.npz", /^npz: a\.npy: the array's type is not supported: .* received '\|O'/],
    ["with_text.npz", 'npz: member "README.txt" is no array: expected names that end in .npy, received README.txt.'],
    ["bzip2.npz", "npz: a.npy: unknown compression: expected 0 (stored) or 8 (deflate), received 12."],
    ["empty.npz", "npz: the archive is empty: expected at least one array, received none."],
    ["version1.npy", /^npz: the archive is cut short or corrupt: expected a complete zip archive, .* Download or copy/],
  ])("in archives: %s", (name, message) => {
    const result = outcome(() => parseNpz(fixture(name)));
    if (typeof message === "string") expect(result).toBe(message);
    else expect(result).toMatch(message);
  });

  it("names a file that is not there", async () => {
    await expect(loadNpz("no/such.npz")).rejects.toThrow(/^no\/such\.npz: the file cannot be read: received ENOENT/);
    await expect(loadNpz(7 as unknown as string)).rejects.toThrow(
      "npz: no file: expected a path, an address or bytes, received 7.",
    );
  });
});

describe("npy headers", () => {
  const body = [1, 0, 0, 0, 2, 0, 0, 0];
  const npy = (header: string, { major = 1, bytes = body } = {}): Uint8Array => {
    const text = new TextEncoder().encode(header);
    const length =
      major === 1
        ? [text.length & 255, text.length >> 8]
        : [text.length & 255, (text.length >> 8) & 255, text.length >> 16, 0];
    return Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, major, 0, ...length, ...text, ...bytes);
  };
  it("are read in any key order and spacing, as other writers have them", () => {
    for (const header of [
      "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }",
      "{'shape':(2L,),'fortran_order':False,'descr':'<i4'}\n",
      "{'fortran_order': True, 'descr': '=i4', 'shape': (2, )}      \n",
    ]) {
      expect(parseNpy(npy(header))).toEqual(tensor([1, 2], { dtype: "int32" }));
    }
  });
  it.each([
    [
      "{'descr': '<i4', 'fortran_order': False, 'shape': (3,), }",
      "npy: the array is cut short: expected 12 bytes for (3,), received 8 bytes.",
    ],
    [
      "{'descr': '<i4', 'fortran_order': False, 'shape': (), }",
      "npy: the array is longer than its shape: expected 4 bytes for (), received 8 bytes.",
    ],
    [
      "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), 'shape': (2,), }",
      /^npy: the npy header cannot be read: expected descr, fortran_order and shape/,
    ],
    ["{'descr': '<i4', 'fortran_order': False, 'shape': (2,), 'more': 1, }", /header cannot be read/],
    ["{'descr': '<i4', 'fortran_order': False, 'shape': (2,), } # more", /header cannot be read/],
    [`{'descr': '<i4', 'fortran_order': False, 'shape': (${"1, ".repeat(65)}), }`, /header cannot be read/],
    [
      "{'descr': '<i4', 'fortran_order': False, 'shape': (2,,), }",
      /^npy: the npy header cannot be read: expected descr, fortran_order and shape/,
    ],
    ["{'descr': '<i4', 'fortran_order': False, 'shape': (-2,), }", /header cannot be read/],
    ["{'descr': '<i4', 'shape': (2,), }", /header cannot be read/],
    [
      "{'descr': '<i4', 'fortran_order': False, 'shape': (99999999999, 99999999999), }",
      /cut short: expected 3.99999999992e\+22 bytes/,
    ],
  ])("are refused: %s", (header, message) => {
    const result = outcome(() => parseNpy(npy(header)));
    if (typeof message === "string") expect(result).toBe(message);
    else expect(result).toMatch(message);
  });
  it("of any size are read in a time that grows with it", () => {
    // Each of these took time by the square or the cube of its length where it was searched for by patterns.
    const long = [
      `'shape': (${"1,".repeat(30_000)}`,
      `'shape': (${" ".repeat(60_000)}`,
      `'shape':${" ".repeat(60_000)}x`,
      "'shape': (".repeat(6_000),
      "'descr': [".repeat(6_000),
      `'descr': ${"[".repeat(60_000)}`,
      `'fortran_order': True${" ".repeat(60_000)}`,
      "'".repeat(60_000),
      `'shape': (${"9".repeat(60_000)},)`,
    ];
    const started = process.cpuUsage();
    for (const text of long)
      for (const header of [`{${text}`, `{${text}}`, `{'descr': '<i4', 'fortran_order': False, ${text}, }`])
        outcome(() => parseNpy(npy(header)));
    const { user, system } = process.cpuUsage(started);
    expect((user + system) / 1000).toBeLessThan(2000);
    expect(outcome(() => parseNpy(npy(" ".repeat(65_536), { major: 2 })))).toMatch(/cut short|too long/);
  });

  it("of an unknown version are refused", () => {
    expect(outcome(() => parseNpy(npy("{}", { major: 4 })))).toBe(
      "npy: unknown npy version: expected 1, 2 or 3, received 4.",
    );
  });
});

describe("damaged files", () => {
  const names = ["small.npz", "stored.npz", "deflated.npz"];

  it.each(names)("cut off anywhere are refused: %s", (name) => {
    const bytes = fixture(name);
    const step = name === "small.npz" ? 1 : 37;
    for (let length = 0; length < bytes.length; length += step) {
      expect(
        outcome(() => contents(parseNpz(bytes.subarray(0, length), name))),
        `${length}`,
      ).toMatch(/^\w+\.npz: /);
    }
  });

  it("with any one bit wrong are refused or read as they were", () => {
    const bytes = fixture("small.npz");
    const known = contents(parseNpz(bytes));
    let refused = 0;
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const result = outcome(() => contents(parseNpz(bytes)));
      if (typeof result === "string") refused++;
      else expect(result, `bit ${bit}`).toEqual(known);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    }
    expect(refused).toBeGreaterThan(0.7 * 8 * bytes.length);
  });

  it("with several bytes wrong, missing or added are refused or read as they were", () => {
    const edit = fc.record({
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      byte: fc.nat(255),
      kind: fc.constantFrom("set", "delete", "insert"),
    });
    for (const name of names) {
      const bytes = fixture(name);
      const known = contents(parseNpz(bytes));
      fc.assert(
        fc.property(fc.array(edit, { minLength: 1, maxLength: 6 }), (edits) => {
          const damaged = [...bytes];
          for (const { at, byte, kind } of edits) {
            const i = Math.floor(at * (damaged.length - 1));
            damaged.splice(i, kind === "insert" ? 0 : 1, ...(kind === "delete" ? [] : [byte]));
          }
          const result = outcome(() => contents(parseNpz(Uint8Array.from(damaged))));
          if (typeof result !== "string") expect(result).toEqual(known);
        }),
        { numRuns: 150 },
      );
    }
  });

  it("as bare npy never give anything but a tensor or a DataError", () => {
    const bytes = fixture("version1.npy");
    for (let length = 0; length < bytes.length; length++)
      expect(outcome(() => parseNpy(bytes.subarray(0, length)))).toMatch(/^npy: /);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (changes) => {
          const damaged = bytes.slice();
          for (const [i, byte] of changes) damaged[i] = byte;
          outcome(() => parseNpy(damaged));
        },
      ),
      { numRuns: 500 },
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (noise) => void outcome(() => parseNpz(noise))));
  });

  it("that share their bytes are refused before anything is unpacked", () => {
    const inner = npyOf(new Uint8Array(1_000_000));
    const bomb = archive([...Array(100).keys()].map((i) => ({ name: `a${i}.npy`, content: inner, at: 0 })));
    expect(bomb.length).toBeLessThan(20_000);
    const before = process.memoryUsage().arrayBuffers;
    expect(outcome(() => parseNpz(bomb))).toMatch(
      /^npz: a\d+\.npy: the archive is cut short or corrupt: .*, received (a member that overlaps another one|two different names for the member)\./,
    );
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1e6);
    const same = archive([1, 2].map(() => ({ name: "a.npy", content: inner, at: 0 })));
    expect(outcome(() => parseNpz(same))).toMatch(/two members called "a\.npy"/);
  });

  it("that lie within each other are refused", () => {
    const inner = npyOf(new Uint8Array(8));
    const nested = archive([{ name: "b.npy", content: inner }], { deflate: false });
    const outer = archive([{ name: "a.npy", content: nested }], { deflate: false, extra: [{ name: "b.npy", at: 35 }] });
    expect(outcome(() => parseNpz(outer))).toMatch(/b\.npy: .* a member that overlaps another one/);
  });

  it("that unpack to more than is asked for are refused", () => {
    const bytes = archive([{ name: "a.npy", content: npyOf(new Uint8Array(4_000_000)) }]);
    expect(outcome(() => parseNpz(bytes, "a.npz", { maxBytes: 1e6 }))).toBe(
      "a.npz: the archive unpacks to too much: expected at most 1000000 bytes, received 4000080. If you trust the file, give a larger maxBytes.",
    );
    expect(parseNpz(bytes, "a.npz", { maxBytes: 5e6 })["a"]?.shape).toEqual([4_000_000]);
    expect(() => parseNpz(bytes, "a.npz", { maxBites: 1 } as object)).toThrow(/unknown option "maxBites"/);
  });

  it("that go on after what they claim are refused", () => {
    const content = npyOf(new Uint8Array(1000));
    const less = content.subarray(0, 900);
    const bytes = archive([{ name: "a.npy", content, claims: less }]);
    expect(outcome(() => parseNpz(bytes))).toMatch(/received more than the 900 bytes it claims/);
  });

  it("may have any name for a name", () => {
    const names = ["__proto__", "constructor", "\u001b[2J", ""];
    const arrays = parseNpz(archive(names.map((name) => ({ name: `${name}.npy`, content: npyOf(Uint8Array.of(7)) }))));
    expect(Object.keys(arrays)).toEqual(names);
    expect([...(Object.getOwnPropertyDescriptor(arrays, "__proto__")?.value as Tensor).data]).toEqual([7]);
    const red = archive([{ name: "\u001b[31m.npy", content: Uint8Array.of(1, 2) }]);
    expect(outcome(() => parseNpz(red))).toMatch(/^npz: \\u001b\[31m\.npy: this is no npy array/);
  });

  it("that claim to hold far more than they can allocate nothing", () => {
    const bytes = fixture("small.npz");
    const view = new DataView(bytes.buffer);
    const central = bytes.findIndex((_, i) => i + 4 <= bytes.length && view.getUint32(i, true) === 0x02014b50);
    view.setUint32(central + 24, 0xf0000000, true);
    expect(outcome(() => parseNpz(bytes, "a.npz"))).toMatch(
      /^a\.npz: tokens\.npy: the archive is cut short or corrupt: .* received \d+ bytes that claim to hold 4026531840\. Download/,
    );
  });
});

describe("zip archives", () => {
  it("have the checksum of the standard", () => {
    expect(crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
  });

  it("are read with 64-bit fields and a comment", () => {
    const content = fixture("version1.npy");
    const zip = zip64("a.npy", content);
    expect([...readZip(zip, "zip", 1e6)]).toEqual([["a.npy", content]]);
    for (let i = 0; i < zip.length; i++) outcome(() => readZip(zip.subarray(0, i), "zip", 1e6));
  });

  it("are refused with a password", () => {
    const bytes = fixture("with_text.npz");
    const view = new DataView(bytes.buffer);
    const central = bytes.findIndex((_, i) => i + 4 <= bytes.length && view.getUint32(i, true) === 0x02014b50);
    view.setUint16(central + 8, 1, true);
    expect(outcome(() => readZip(bytes, "z", 1e6))).toBe(
      "z: README.txt: the member is encrypted. Save the archive without a password.",
    );
  });
});

function npyOf(data: Uint8Array): Uint8Array {
  const header = `{'descr': '|u1', 'fortran_order': False, 'shape': (${data.length},), }`.padEnd(70);
  const bytes = new Uint8Array(80 + data.length);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 70, 0]);
  bytes.set(new TextEncoder().encode(header), 10);
  bytes.set(data, 80);
  return bytes;
}

interface Member {
  readonly name: string;
  readonly content?: Uint8Array;
  /** What size and checksum are taken from. Default: the content. */
  readonly claims?: Uint8Array;
  /** Where the directory says that it begins. Default: where it does; its content is then written once. */
  readonly at?: number;
}

/** An archive, as a hostile writer may make it. */
function archive(members: readonly Member[], { deflate = true, extra = [] as readonly Member[] } = {}): Uint8Array {
  const bytes: number[] = [];
  const put = (...fields: (readonly [value: number, width: number])[]): void => {
    for (const [value, width] of fields) for (let i = 0; i < width; i++) bytes.push((value >>> (8 * i)) & 255);
  };
  const directory: (() => void)[] = [];
  const packings = new Map<Uint8Array, Uint8Array>();
  for (const { name, content = Uint8Array.of(), claims = content, at } of [...members, ...extra]) {
    const title = new TextEncoder().encode(name);
    const packed = packings.get(content) ?? (deflate ? deflateSync(content) : content);
    packings.set(content, packed);
    const sizes = [crc32(claims), packed.length, claims.length].map((n) => [n, 4] as const);
    const method = [deflate ? 8 : 0, 2] as const;
    const start = at ?? bytes.length;
    if (start === bytes.length) {
      put([0x04034b50, 4], [20, 2], [0, 2], method, [0, 4], ...sizes, [title.length, 2], [0, 2]);
      bytes.push(...title);
      for (const byte of packed) bytes.push(byte);
    }
    directory.push(() => {
      put([0x02014b50, 4], [20, 2], [20, 2], [0, 2], method, [0, 4], ...sizes, [title.length, 2]);
      put([0, 8], [0, 4], [start, 4]);
      bytes.push(...title);
    });
  }
  const start = bytes.length;
  for (const write of directory) write();
  const [size, count] = [bytes.length - start, directory.length];
  put([0x06054b50, 4], [0, 4], [count, 2], [count, 2], [size, 4], [start, 4], [0, 2]);
  return Uint8Array.from(bytes);
}

/** An archive of one stored member whose sizes and offsets are all in 64-bit fields, followed by a comment. */
function zip64(name: string, content: Uint8Array): Uint8Array {
  const title = new TextEncoder().encode(name);
  const bytes: number[] = [];
  const put = (...fields: (readonly [value: number, width: number])[]): void => {
    for (const [value, width] of fields)
      for (let i = 0; i < width; i++) bytes.push(i < 4 ? (value >>> (8 * i)) & 255 : 0);
  };
  const ones = 0xffffffff;
  put(
    [0x04034b50, 4],
    [45, 2],
    [0, 2],
    [0, 2],
    [0, 4],
    [crc32(content), 4],
    [ones, 4],
    [ones, 4],
    [title.length, 2],
    [0, 2],
  );
  bytes.push(...title, ...content);
  const start = bytes.length;
  put([0x02014b50, 4], [45, 2], [45, 2], [0, 2], [0, 2], [0, 4], [crc32(content), 4], [ones, 4], [ones, 4]);
  put([title.length, 2], [34, 2], [0, 2], [0, 2], [0, 2], [0, 4], [ones, 4]);
  bytes.push(...title);
  put([0x9999, 2], [2, 2], [0, 2], [1, 2], [24, 2], [content.length, 8], [content.length, 8], [0, 8]);
  const end = bytes.length;
  put([0x06064b50, 4], [44, 8], [45, 2], [45, 2], [0, 4], [0, 4], [1, 8], [1, 8], [end - start, 8], [start, 8]);
  put([0x07064b50, 4], [0, 4], [end, 8], [1, 4]);
  put([0x06054b50, 4], [0, 2], [0, 2], [0xffff, 2], [0xffff, 2], [ones, 4], [ones, 4], [7, 2]);
  return Uint8Array.from([...bytes, ...new TextEncoder().encode("comment")]);
}

describe("an address", () => {
  it("that falls silent is given up, before its answer or in the middle of it", async () => {
    const server = createServer((request, response) => {
      if (request.url === "/half") response.writeHead(200, { "content-length": 1000 }).write("half");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const web = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      for (const path of ["/never", "/half"])
        await expect(readSource(web + path, "silent", 100)).rejects.toThrow(
          "silent: the download failed: received nothing came for 0.1 s.",
        );
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});

describe("bytes", () => {
  it("of another realm are bytes", async () => {
    const foreign = runInNewContext("new Uint8Array(numbers)", { numbers: [...fixture("version1.npy")] }) as Uint8Array;
    expect(foreign instanceof Uint8Array).toBe(false);
    for (const source of [foreign, foreign.buffer as ArrayBuffer, new DataView(foreign.buffer) as never])
      expect((await loadNpy(source)).shape).toEqual([3, 4]);
  });
});

describe("paths", () => {
  const temporary = mkdtempSync(join(tmpdir(), "torte-npy-"));
  afterAll(() => {
    rmSync(temporary, { recursive: true });
  });
  it("may hold spaces and letters of any script", async () => {
    const path = join(temporary, "größe 1 %.npy");
    writeFileSync(path, fixture("version1.npy"));
    expect((await loadNpy(path)).shape).toEqual([3, 4]);
    expect((await loadNpy(pathToFileURL(path))).shape).toEqual([3, 4]);
  });
});
