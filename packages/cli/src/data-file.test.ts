import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { tensor } from "torte";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dataContext } from "./data-context.js";
import { cacheFolder, findDataFile } from "./data-file.js";

const content = Buffer.from("proteins ".repeat(20_000));
const sha256 = createHash("sha256").update(content).digest("hex");

const ANSWERS: Readonly<Record<string, RequestListener>> = {
  "/good": (_, response) => response.setHeader("content-length", content.length).end(content),
  "/unsized": (_, response) => {
    response.write(content.subarray(0, 1000));
    response.end(content.subarray(1000));
  },
  "/moved": (_, response) => response.writeHead(302, { location: "/good" }).end(),
  "/round": (_, response) => response.writeHead(302, { location: "/round" }).end(),
  "/other": (_, response) => response.end("something else"),
  "/missing": (_, response) => response.writeHead(404).end("not found"),
  "/broken": (_, response) => response.writeHead(500).end(),
  "/short": (_, response) => {
    response.setHeader("content-length", content.length).write(content.subarray(0, 50_000));
    setTimeout(() => response.destroy(), 20);
  },
  "/endless": (_, response) => response.setHeader("content-length", content.length).write(content.subarray(0, 50_000)),
};

let server: Server;
let base = "";
beforeAll(async () => {
  server = createServer((request, response) => ANSWERS[request.url ?? ""]?.(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const newFolder = (): string => mkdtempSync(join(tmpdir(), "torte-data-"));
const ask = (path: string) => ({ file: "proteins", sha256, url: `${base}${path}` });
const message = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "nothing was thrown",
    (error: unknown) => (error as Error).message,
  );

describe("a download", () => {
  it.each(["/good", "/unsized", "/moved"])("from %s is checked, and kept in the cache", async (path) => {
    const cache = join(newFolder(), "deep", "cache");
    const told: [number, number | undefined][] = [];
    const found = await findDataFile(ask(path), { cache, onDownload: (...facts) => told.push(facts) });
    expect(found).toMatchObject({ path: join(cache, "proteins"), sha256, from: "download" });
    expect(readFileSync(join(cache, "proteins")).equals(content)).toBe(true);
    expect(readdirSync(cache)).toEqual(["proteins"]);
    expect(told.at(-1)).toEqual([content.length, path === "/unsized" ? undefined : content.length]);
    const refuse = (): Promise<never> => Promise.reject(new Error("asked again"));
    expect(await findDataFile(ask(path), { cache, fetch: refuse })).toMatchObject({ from: "cache" });
  });

  it.each([
    ["/other", "gave something else (its checksum is wrong)"],
    ["/missing", "cannot be downloaded (status 404)"],
    ["/broken", "cannot be downloaded (status 500)"],
    ["/short", "cannot be downloaded (other side closed)"],
    ["/round", "cannot be downloaded (redirect count exceeded)"],
  ])("from %s leaves nothing, and says why", async (path, reason) => {
    const cache = newFolder();
    expect(await findDataFile(ask(path), { cache })).toEqual({ reason: `${base}${path} ${reason}` });
    expect(readdirSync(cache)).toEqual([]);
  });

  it("goes on where the cache takes nothing, and takes the leftovers of processes that are gone away", async () => {
    // Before the first request: it holds the event loop, and a connection that waits is closed after a while.
    const gone = spawnSync(process.execPath, ["-e", ""]).pid;
    const folder = newFolder();
    writeFileSync(join(folder, "cache"), "a file where a folder should be");
    expect(await findDataFile(ask("/good"), { cache: join(folder, "cache") })).toMatchObject({
      path: `${base}/good`,
      sha256,
      bytes: content,
    });
    const cache = newFolder();
    const [left, others] = [`.big.${hostname()}.${gone}.0.part`, `.big.${hostname()}.${process.pid}.0.part`];
    for (const file of [left, others, ".big.elsewhere.1.0.part"]) writeFileSync(join(cache, file), "half");
    await findDataFile(ask("/good"), { cache });
    expect(readdirSync(cache).sort()).toEqual([others, ".big.elsewhere.1.0.part", "proteins"].sort());
  });

  it("without a network says so", async () => {
    const cache = newFolder();
    const request = { ...ask("/good"), url: "http://127.0.0.1:9/proteins" };
    expect(await findDataFile(request, { cache })).toEqual({
      reason: expect.stringMatching(/^http:\/\/127.0.0.1:9\/proteins cannot be downloaded \(.*\)$/) as string,
    });
    expect(readdirSync(cache)).toEqual([]);
  });

  it("that comes to a halt is given up", async () => {
    const cache = newFolder();
    expect(await findDataFile(ask("/endless"), { cache, patience: 100 })).toEqual({
      reason: `${base}/endless cannot be downloaded (nothing came for 0.1 s)`,
    });
    expect(readdirSync(cache)).toEqual([]);
  });

  it("that is interrupted leaves nothing", async () => {
    const cache = newFolder();
    const controller = new AbortController();
    const onDownload = (): void => {
      controller.abort(new Error("enough"));
    };
    expect(await message(findDataFile(ask("/endless"), { cache, signal: controller.signal, onDownload }))).toBe(
      "enough",
    );
    expect(readdirSync(cache)).toEqual([]);
  });
});

describe("a file", () => {
  it("is read once: what is hashed is what is parsed, whatever takes its place", async () => {
    const folder = newFolder();
    const path = join(folder, "proteins");
    writeFileSync(path, content);
    const found = await findDataFile(ask("/good"), { path });
    writeFileSync(path, "another one");
    if (found.path === undefined) throw new Error(found.reason);
    expect(createHash("sha256").update(found.bytes).digest("hex")).toBe(sha256);
    expect(Buffer.from(found.bytes).equals(content)).toBe(true);
  });

  it("that is long stops being read at once by an interruption", async () => {
    const path = join(newFolder(), "proteins");
    writeFileSync(path, "");
    truncateSync(path, 2 ** 29);
    const controller = new AbortController();
    setTimeout(() => {
      controller.abort(new Error("enough"));
    }, 20);
    const started = performance.now();
    expect(await message(findDataFile(ask("/good"), { path, signal: controller.signal }))).toBe("enough");
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it.skipIf(process.platform === "win32")(
    "that is none, such as a pipe, is refused instead of waited for",
    async () => {
      const pipe = join(newFolder(), "proteins");
      execFileSync("mkfifo", [pipe]);
      for (const path of [pipe, "/dev/zero"])
        expect(await message(findDataFile(ask("/good"), { path }))).toBe(
          `${path}: this is no file: expected a file with data.`,
        );
    },
  );
});

describe("the order", () => {
  it("is the option, the environment's folder, the cache, the address", async () => {
    const [here, folder, cache] = [newFolder(), newFolder(), newFolder()];
    const places = { path: here, folder, cache };
    for (const place of Object.values(places)) writeFileSync(join(place, "proteins"), content);
    const from = async (options: object): Promise<unknown> => (await findDataFile(ask("/good"), options)).path;
    expect(await from(places)).toBe(join(here, "proteins"));
    expect(await from({ ...places, path: join(here, "proteins") })).toBe(join(here, "proteins"));
    expect(await from({ folder, cache })).toBe(join(folder, "proteins"));
    expect(await from({ folder: newFolder(), cache })).toBe(join(cache, "proteins"));
    expect(await from({ folder: "", cache })).toBe(join(cache, "proteins"));
  });

  it("refuses a wrong file that a person has named, and replaces one in the cache", async () => {
    const folder = newFolder();
    writeFileSync(join(folder, "proteins"), "cut sho");
    const received = createHash("sha256").update("cut sho").digest("hex");
    const expected = `${join(folder, "proteins")}: the checksum is wrong: expected SHA-256 ${sha256}, received ${received}. The file is cut short, corrupt or another one; get it anew.`;
    expect(await message(findDataFile(ask("/good"), { path: folder }))).toBe(expected);
    expect(await message(findDataFile(ask("/good"), { folder, cache: newFolder() }))).toBe(expected);
    expect(await findDataFile(ask("/good"), { cache: folder })).toMatchObject({ from: "download" });
    expect(readFileSync(join(folder, "proteins")).equals(content)).toBe(true);
  });

  it("ends with an error where there is neither a file nor an address", async () => {
    const { context } = dataContext(0, { cache: newFolder() });
    expect(await message(context.npz({ file: "own.npz", arrays: { x: [null] } }))).toBe(
      "own.npz: the data cannot be had: own.npz is in none of the places where it is looked for. Give its place with --data PATH, or name its folder in TORTE_DATA.",
    );
  });

  it("knows the cache of each system", () => {
    expect(cacheFolder("linux", { XDG_CACHE_HOME: "/c" })).toBe(join("/c", "torte"));
    expect(cacheFolder("linux", { XDG_CACHE_HOME: "" })).toMatch(/\.cache.torte$/);
    expect(cacheFolder("darwin", {})).toMatch(/Library.Caches.torte$/);
    expect(cacheFolder("win32", { LOCALAPPDATA: "C:" })).toBe(join("C:", "torte", "Cache"));
  });
});

describe("arrays", () => {
  const request = { file: "made", arrays: { x: [null, 2] }, range: [0, 20] } as const;
  const read = (arrays: Record<string, ReturnType<typeof tensor>>, more: object = {}): Promise<string> =>
    message(
      dataContext(0, { cache: newFolder() }).context.npz({ ...request, standIn: () => arrays as never, ...more }),
    );

  it("are refused where one is missing, has another shape, or a value out of range", async () => {
    const ints = (rows: number[][]) => tensor(rows, { dtype: "int32" });
    expect(await read({ x: ints([[0, 20]]) })).toBe("nothing was thrown");
    expect(await read({ y: ints([[0, 20]]) })).toBe('stand-in: there is no array "x": expected y.');
    expect(await read({ x: ints([[0, 1, 2]]) })).toBe(
      "stand-in: x has the wrong shape: expected [any, 2], received [1, 3].",
    );
    expect(
      await read({
        x: ints([
          [0, 1],
          [3, 21],
        ]),
      }),
    ).toBe("stand-in: x: a value is out of range: expected 0…20, received 21 at row 1, column 1.");
    expect(await read({ x: tensor([[0, NaN]]) })).toBe(
      "stand-in: x: a value is out of range: expected 0…20, received NaN at row 0, column 1.",
    );
    expect(await read({ x: ints([[0, 99]]) }, { range: undefined })).toBe("nothing was thrown");
  });

  it("of a file that is no archive are refused with its name", async () => {
    const folder = newFolder();
    mkdirSync(join(folder, "sub"));
    writeFileSync(join(folder, "sub", "made"), content.subarray(0, 100));
    const { context, sources } = dataContext(0, { path: join(folder, "sub") });
    expect(await message(context.npz(request))).toBe(
      `${join(folder, "sub", "made")}: the archive is cut short or corrupt: expected a complete zip archive, received 100 bytes without a directory at their end. Download or copy the file again.`,
    );
    expect(sources).toHaveLength(1);
    expect(existsSync(join(folder, "sub", "made"))).toBe(true);
  });
});
