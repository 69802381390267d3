/** Checkpoints when the disk, or whoever wrote them, does not mean well. */
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import files from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import {
  type Callback,
  dense,
  earlyStopping,
  type FitOptions,
  formatSafetensors,
  input,
  type Logs,
  parseSafetensors,
  sequential,
  tensor,
  TorteError,
} from "torte";
import { afterEach, describe, expect, it, vi } from "vitest";
import { dice, mutateBytes, mutateJson } from "../src/testing/mutate.js";

const newFolder = (): string => mkdtempSync(join(tmpdir(), "torte-test-"));
const column = (values: readonly number[]) => tensor(values.map((value) => [value]));
const data = { x: column([1, 2, 3, 4]), y: column([2, 4, 6, 8]) };

interface Outcome {
  readonly weights: unknown;
  readonly epochs: readonly Logs[];
}

async function run(options: FitOptions, callbacks: readonly Callback[] = []): Promise<Outcome> {
  const model = sequential(input({ shape: [1] }), dense({ units: 1 }), { backend: "reference" });
  model.compile({ optimizer: "adam", loss: "meanSquaredError", metrics: ["spearmanCorrelation"] });
  const stopping = earlyStopping({ monitor: "loss", patience: 100 });
  const { epochs } = await model.fit(data, {
    epochs: 5,
    batchSize: 2,
    callbacks: [stopping, ...callbacks],
    ...options,
  });
  const weights = Object.values(await model.getWeights()).map(({ data }) => [...data]);
  await model.close();
  return { weights, epochs };
}

interface FileRecord {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}
interface Manifest {
  readonly checkpoints: readonly { readonly epoch: number; readonly state: FileRecord; readonly best?: FileRecord }[];
}
const manifestOf = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, "checkpoint.json"), "utf8")) as Manifest;

/** Exactly the files that the list names, each as it was written. */
function expectWhole(folder: string): void {
  const { checkpoints } = manifestOf(folder);
  const named = checkpoints.flatMap(({ state, best }) => [state, ...(best === undefined ? [] : [best])]);
  for (const { file, sha256 } of named)
    expect(
      createHash("sha256")
        .update(readFileSync(join(folder, file)))
        .digest("hex"),
      file,
    ).toBe(sha256);
  expect(readdirSync(folder).sort()).toEqual(
    [...new Set(["checkpoint.json", ...named.map(({ file }) => file)])].sort(),
  );
}

afterEach(() => {
  vi.restoreAllMocks();
});

const failure = (code: string, message: string): Error =>
  Object.assign(new Error(`${code}: ${message}, write`), { code });
const FULL = failure("ENOSPC", "no space left on device");

/** What is written to a path with this in it fails: half of it is on the disk. */
function failOn(part: string, times = Infinity): void {
  const { writeFile } = files;
  let left = times;
  const open = files.open.bind(files);
  const paths = new Map<unknown, string>();
  vi.spyOn(files, "open").mockImplementation(async (...args) => {
    const handle = await open(...args);
    paths.set(handle, String(args[0]));
    return handle;
  });
  vi.spyOn(files, "writeFile").mockImplementation(async (to, content, ...more) => {
    if (paths.get(to)?.includes(part) !== true || left-- <= 0) return writeFile(to, content, ...more);
    const pieces = typeof content === "string" ? [Buffer.from(content)] : [...(content as Iterable<Uint8Array>)];
    const whole = Buffer.concat(pieces);
    await writeFile(to, whole.subarray(0, whole.length / 2));
    throw FULL;
  });
}

describe("a disk that is full", () => {
  it.each(["state-000003", "best-000003", "checkpoint.json"])("when %s is written", async (part) => {
    const expected = await run({});
    const folder = newFolder();
    // The list is written when the folder is opened, and for each of two checkpoints.
    const after = part === "checkpoint.json" ? 3 : 0;
    let begun = 0;
    const callback: Callback = {
      onEpochEnd: () => {
        if (begun++ === after) failOn(part);
      },
    };
    const checkpoint = { folder };
    await expect(run({ checkpoint }, [callback])).rejects.toThrow(
      new RegExp(`${part}[^ ]*: the file cannot be written \\(ENOSPC: no space left on device\\)\\.$`),
    );
    expectWhole(folder);
    expect(manifestOf(folder).checkpoints.length).toBeGreaterThan(0);
    vi.restoreAllMocks();
    expect(await run({ resume: folder, checkpoint })).toEqual(expected);
    expectWhole(folder);
  });

  it("from the start", async () => {
    const folder = newFolder();
    failOn("checkpoint.json");
    await expect(run({ checkpoint: { folder } })).rejects.toThrow(
      "checkpoint.json: the file cannot be written (ENOSPC",
    );
    expect(readdirSync(folder)).toEqual([]);
  });

  it("when the bytes are brought to it", async () => {
    const folder = newFolder();
    const handle = await files.open(folder, "r");
    const prototype = Object.getPrototypeOf(handle) as { sync: () => Promise<void> };
    await handle.close();
    const { sync } = prototype;
    let calls = 0;
    vi.spyOn(prototype, "sync").mockImplementation(function (this: unknown) {
      return ++calls === 9 ? Promise.reject(FULL) : sync.call(this);
    });
    await expect(run({ checkpoint: { folder } })).rejects.toThrow("(ENOSPC: no space left on device)");
    expectWhole(folder);
    expect(manifestOf(folder).checkpoints.length).toBeGreaterThan(0);
  });
});

describe("a folder that cannot be written", () => {
  it("is told at once, and a run can go on from it without writing", async () => {
    const expected = await run({});
    const folder = newFolder();
    await run({ checkpoint: { folder }, epochs: 3 });
    const before = readdirSync(folder).map((file) => [file, statSync(join(folder, file)).mtimeMs]);
    const open = files.open.bind(files);
    vi.spyOn(files, "open").mockImplementation((path, flags, ...more) =>
      flags === "w" ? Promise.reject(failure("EROFS", "read-only file system")) : open(path, flags, ...more),
    );
    await expect(run({ resume: folder, checkpoint: { folder } })).rejects.toThrow(
      "checkpoint.json: the file cannot be written (EROFS: read-only file system).",
    );
    expect(await run({ resume: folder })).toEqual(expected);
    expect(readdirSync(folder).map((file) => [file, statSync(join(folder, file)).mtimeMs])).toEqual(before);
  });

  it("is told where a file has its name, or the one above", async () => {
    const file = join(newFolder(), "file");
    writeFileSync(file, "");
    for (const folder of [file, join(file, "below")])
      await expect(run({ checkpoint: { folder } })).rejects.toThrow("the file cannot be written (");
  });
});

it("removes what an interrupted write has left, and nothing else", async () => {
  const folder = newFolder();
  await run({ checkpoint: { folder }, epochs: 2 });
  const left = [
    ".state-000003.safetensors.part",
    ".checkpoint.json.part",
    "state-000009.safetensors",
    "best-000009.safetensors",
  ];
  for (const file of [...left, "notes.txt", ".other.part"]) writeFileSync(join(folder, file), "x");
  await run({ resume: folder, checkpoint: { folder }, epochs: 3 });
  const there = readdirSync(folder);
  for (const file of left) expect(there).not.toContain(file);
  for (const file of ["notes.txt", ".other.part"]) expect(there).toContain(file);
});

describe("a damaged checkpoint", () => {
  const damage = {
    "is missing": (path: string) => {
      writeFileSync(path, "");
    },
    "is cut short": (path: string) => {
      truncateSync(path, 100);
    },
    "has another bit": (path: string) => {
      const bytes = readFileSync(path);
      bytes[bytes.length - 1]! ^= 1;
      writeFileSync(path, bytes);
    },
  };
  it.each(Object.entries(damage))("%s: the one before is taken, which comes to the same", async (_, harm) => {
    const expected = await run({});
    const folder = newFolder();
    await run({ checkpoint: { folder }, epochs: 3 });
    const [older, newer] = manifestOf(folder).checkpoints.map(({ state }) => join(folder, state.file));
    harm(newer!);
    expect(await run({ resume: folder })).toEqual(expected);
    harm(older!);
    await expect(run({ resume: folder })).rejects.toThrow(newer!);
  });
});

/** The checkpoint's record with another value at a place; sizes and sums fit. */
function withState(folder: string, change: (file: Uint8Array) => Uint8Array): void {
  const manifest = manifestOf(folder);
  const checkpoints = manifest.checkpoints.map((entry) => {
    const path = join(folder, entry.state.file);
    const bytes = change(new Uint8Array(readFileSync(path)));
    writeFileSync(path, bytes);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    return { ...entry, state: { ...entry.state, bytes: bytes.length, sha256 } };
  });
  writeFileSync(join(folder, "checkpoint.json"), JSON.stringify({ ...manifest, checkpoints }));
}

type Value = Record<string, unknown>;
const KEY = "torte-checkpoint";

const withRecord =
  (change: (state: Value) => unknown) =>
  (file: Uint8Array): Uint8Array => {
    const { tensors, metadata } = parseSafetensors(file);
    const record = JSON.parse(metadata[KEY] ?? "") as { state: Value };
    return formatSafetensors(tensors, {
      ...metadata,
      [KEY]: JSON.stringify({ ...record, state: change(record.state) }),
    });
  };

/** Refused in less than a second of the processor's time, without much memory, by an error of Torte's own. */
async function refused(folder: string): Promise<string> {
  const [started, before] = [process.cpuUsage(), process.memoryUsage()];
  const error: unknown = await run({ resume: folder }).catch((thrown: unknown) => thrown);
  const { user, system } = process.cpuUsage(started);
  const { arrayBuffers } = process.memoryUsage();
  expect((user + system) / 1000).toBeLessThan(1000);
  expect(arrayBuffers - before.arrayBuffers).toBeLessThan(16e6);
  expect(error).toBeInstanceOf(TorteError);
  const { message } = error as Error;
  expect(message.length).toBeLessThan(3000);
  expect(message).not.toMatch(/\p{Cc}/u);
  return message;
}

const raw = (header: string, rest = 0, claimed = header.length): Uint8Array => {
  const bytes = new Uint8Array(8 + header.length + rest);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(claimed), true);
  bytes.set(new TextEncoder().encode(header), 8);
  return bytes;
};

const STATES: Readonly<Record<string, (file: Uint8Array) => Uint8Array>> = {
  "a header of all memory": () => raw("{}", 0, 2 ** 52),
  "an endless header": (file) => raw("{", file.length, file.length + 1),
  "deep nesting": () => raw(`{"a":${"[".repeat(20_000)}`),
  "a key twice": () => raw('{"__metadata__":{},"__metadata__":{}}'),
  "no record": (file) => formatSafetensors(parseSafetensors(file).tensors),
  "a record that is no JSON": (file) => formatSafetensors(parseSafetensors(file).tensors, { [KEY]: "{" }),
  "a record of a later version": (file) =>
    formatSafetensors(parseSafetensors(file).tensors, { [KEY]: `{"format":"${KEY}","version":2}` }),
  "no arrays": (file) => formatSafetensors({}, parseSafetensors(file).metadata),
  "one array more": (file) => {
    const { tensors, metadata } = parseSafetensors(file);
    return formatSafetensors({ ...tensors, more: tensor([1]) }, metadata);
  },
  "an array of another size": (file) => {
    const { tensors, metadata } = parseSafetensors(file);
    return formatSafetensors({ ...tensors, "states/random": tensor([1, 2, 3], { dtype: "int32" }) }, metadata);
  },
  "an array of a thousand million numbers": (file) => {
    const { metadata } = parseSafetensors(file);
    const huge = { dtype: "F32", shape: [1e9], data_offsets: [0, 4e9] };
    return raw(JSON.stringify({ __metadata__: metadata, "states/random": huge }));
  },
  "a million arrays that were collected": withRecord((state) => ({ ...state, collected: 1e6 })),
  "arrays that were collected, but are not there": withRecord((state) => ({ ...state, collected: 99_999 })),
  "an epoch before the first": withRecord((state) => ({ ...state, place: { epoch: -1, step: 0 } })),
  "a step of no number": withRecord((state) => ({ ...state, place: { epoch: 0, step: 0.5 } })),
  "an endless epoch": withRecord((state) => ({ ...state, place: { epoch: 2 ** 40, step: 0 } })),
  "no history": withRecord(({ history, ...state }) => ({ ...state, before: history })),
  "a history of texts": withRecord((state) => ({ ...state, history: [{ loss: "\u001b[2J" }] })),
  "a state that early stopping does not know": withRecord((state) => ({
    ...state,
    callbacks: [{ kind: "earlyStopping", state: { best: "x" } }],
  })),
  "a state that is nested": withRecord((state) => ({
    ...state,
    callbacks: [{ kind: "earlyStopping", state: JSON.parse(`${"[".repeat(60)}${"]".repeat(60)}`) as unknown }],
  })),
  "keys called __proto__": withRecord(
    (state) =>
      JSON.parse(
        `{"__proto__":{"history":[]},"place":{"__proto__":{"epoch":1}},"kept":${JSON.stringify(state["kept"])}}`,
      ) as unknown,
  ),
};

const LISTS: Readonly<Record<string, (list: string) => string>> = {
  "no JSON": () => "{",
  "a key twice": (list) => list.replace('"version"', '"version": 1, "version"'),
  "deep nesting": () => "[".repeat(100_000),
  "a million entries": (list) => {
    const { checkpoints, ...rest } = JSON.parse(list) as Manifest;
    return JSON.stringify({ ...rest, checkpoints: Array(20_000).fill(checkpoints[0]) });
  },
  "a later version": (list) => list.replace('"version": 1', '"version": 2'),
  "a way out of the folder": (list) => list.replaceAll(/state-\d+\.safetensors/g, "../../../etc/passwd"),
  "a name with an escape sequence": (list) => list.replaceAll(/state-\d+\.safetensors/g, "\\u001b[2J"),
  "a key called __proto__": () => '{"__proto__":{"checkpoints":[]}}',
  "a file of all memory": (list) => list.replaceAll(/"bytes": \d+/g, `"bytes": ${2 ** 50}`),
  "a negative size": (list) => list.replaceAll(/"bytes": \d+/g, '"bytes": -1'),
  "no sum": (list) => list.replaceAll(/"sha256": "\w+"/g, '"sha256": ""'),
};

describe("a checkpoint that was made to do harm", () => {
  it.each(Object.entries(STATES))("has %s", async (_, change) => {
    const folder = newFolder();
    await run({ checkpoint: { folder, keep: 1 }, epochs: 2 });
    withState(folder, change);
    expect(await refused(folder)).not.toBe("");
    expect(({} as { history?: unknown }).history).toBeUndefined();
  });

  it.each(Object.entries(LISTS))("has a list with %s", async (_, change) => {
    const folder = newFolder();
    await run({ checkpoint: { folder, keep: 1 }, epochs: 2 });
    const path = join(folder, "checkpoint.json");
    writeFileSync(path, change(readFileSync(path, "utf8")));
    expect(await refused(folder)).not.toBe("");
  });

  it("is changed at random: it is refused, or goes on", async () => {
    const whole = newFolder();
    await run({ checkpoint: { folder: whole, keep: 1, every: { steps: 3 } }, epochs: 2 });
    const names = readdirSync(whole).filter((name) => !name.startsWith("best"));
    const contents = new Map(readdirSync(whole).map((name) => [name, new Uint8Array(readFileSync(join(whole, name)))]));
    const folder = newFolder();
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.constantFrom("bytes", "record", "list"), async (seed, kind) => {
        for (const [name, bytes] of contents) writeFileSync(join(folder, name), bytes);
        const roll = dice(seed);
        if (kind === "bytes") {
          const name = names[roll(names.length)] ?? "";
          if (name.startsWith("state")) withState(folder, (file) => mutateBytes(file, roll));
          else writeFileSync(join(folder, name), mutateBytes(contents.get(name) ?? new Uint8Array(), roll));
        } else if (kind === "record")
          withState(
            folder,
            withRecord((state) => mutateJson(state, roll)),
          );
        else writeFileSync(join(folder, "checkpoint.json"), JSON.stringify(mutateJson(manifestOf(folder), roll)));
        const started = process.cpuUsage();
        const error: unknown = await run({ resume: folder }).then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        const { user, system } = process.cpuUsage(started);
        expect((user + system) / 1000).toBeLessThan(1500);
        if (error !== undefined) expect(error).toBeInstanceOf(TorteError);
      }),
      { numRuns: 150, seed: 7 },
    );
    expect(existsSync(folder)).toBe(true);
  });
});
