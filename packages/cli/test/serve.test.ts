/**
 * `torte serve` under clients that are many, wrong, slow, or gone. TORTE_SERVE_SECONDS says for how long (default 2), TORTE_SERVE_CLIENTS how many
 * there are of each kind (default 10); with 30 and 100 it is the long form.
 */
import { writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newFolder, start, type Started, torte } from "./command.js";

const SECONDS = Number(process.env["TORTE_SERVE_SECONDS"] ?? 2);
const CLIENTS = Number(process.env["TORTE_SERVE_CLIENTS"] ?? 10);

const folder = newFolder();
const GOOD = JSON.stringify({ rows: [{ size: 3, colour: "red" }] });
const post = (body: string, length = Buffer.byteLength(body)): string =>
  `POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n${body}`;

async function serving(...options: string[]): Promise<{ service: Started; port: number }> {
  const service = start(folder, ["serve", "run", "--port", "0", "--rate", "1000000", ...options]);
  let printed = "";
  service.process.stdout?.on("data", (text: string) => (printed += text));
  await service.printed("serves run");
  return { service, port: Number(/:(\d+)\//.exec(printed)?.[1]) };
}

const opened = (port: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1").setEncoding("latin1");
    socket.once("error", reject).once("connect", () => {
      socket.removeListener("error", reject).on("error", () => undefined);
      resolve(socket);
    });
  });

/** The next answer's status and body; undefined where the connection ends before it. */
function answer(socket: Socket): Promise<{ status: number; body: string } | undefined> {
  return new Promise((resolve) => {
    let text = "";
    const done = (value: { status: number; body: string } | undefined): void => {
      socket.off("data", more).off("close", gone);
      resolve(value);
    };
    const gone = (): void => {
      done(undefined);
    };
    const more = (part: string): void => {
      text += part;
      const head = text.indexOf("\r\n\r\n");
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? 0);
      if (head < 0 || text.length < head + 4 + length) return;
      done({ status: Number(text.slice(9, 12)), body: text.slice(head + 4) });
    };
    socket.on("data", more).on("close", gone);
    if (socket.closed) gone();
  });
}

/** One request on a connection of its own. */
async function ask(port: number, request: string): Promise<number | undefined> {
  const socket = await opened(port);
  socket.write(request);
  const told = await answer(socket);
  socket.destroy();
  return told?.status;
}

const memoryOf = async (port: number): Promise<number> =>
  Number(/^torte_memory_bytes (\d+)/m.exec(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text())?.[1]);
const inFlight = async (port: number): Promise<number> =>
  Number(/^torte_in_flight (\d+)/m.exec(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text())?.[1]);

describe("torte serve", { timeout: 300_000 }, () => {
  beforeAll(async () => {
    const rows = Array.from({ length: 60 }, (_, i) => `${i % 7},${["red", "blue"][i % 2]},${i % 2}`);
    writeFileSync(join(folder, "things.csv"), `size,colour,kind\n${rows.join("\n")}\n`);
    const train = ["train", "things.csv", "--target", "kind", "--epochs", "1", "--out", "run", "--quiet"];
    expect(await torte(folder, ...train)).toEqual({ status: 0, out: "", error: "" });
  }, 120_000);
  let running: Started | undefined;
  afterAll(() => {
    running?.process.kill("SIGKILL");
  });

  it("answers everybody who asks rightly while others are wrong, slow, or go away, and keeps its memory", async () => {
    const { service, port } = await serving("--max-bytes", "10000");
    running = service;
    for (let i = 0; i < 20; i++) expect(await ask(port, post(GOOD))).toBe(200);
    const before = await memoryOf(port);
    const end = performance.now() + 1000 * SECONDS;
    let right = 0;
    const statuses = new Set<number | undefined>();
    const again = async (act: () => Promise<void>): Promise<void> => {
      do await act();
      while (performance.now() < end);
    };
    const wrong = [
      "{",
      "[]",
      '{"rows":[]}',
      '{"rows":[{"size":[1],"colour":"red"}]}',
      '{"rows":[{"size":"many","colour":"red","__proto__":{"a":1}}]}',
      `{"rows":${"[".repeat(4000)}`,
      JSON.stringify({ rows: Array.from({ length: 200 }, () => ({ size: 1, colour: "x" })) }),
      "x".repeat(20_000),
      "\u0000\uffff",
    ];
    const steady = async (): Promise<void> => {
      const socket = await opened(port);
      await again(async () => {
        socket.write(post(GOOD));
        const told = await answer(socket);
        expect(told?.status).toBe(200);
        right++;
      });
      socket.destroy();
    };
    const rude = (): Promise<void> =>
      again(async () => {
        for (const body of wrong) statuses.add(await ask(port, post(body)));
        statuses.add(await ask(port, "NO SUCH THING\r\n\r\n"));
        statuses.add(await ask(port, `GET /${"x".repeat(30_000)} HTTP/1.1\r\nHost: x\r\n\r\n`));
      });
    const leaving = (): Promise<void> =>
      again(async () => {
        const socket = await opened(port);
        socket.write(post(GOOD));
        socket.destroy();
        const half = await opened(port);
        half.write(post(GOOD, 5000));
        await new Promise((resolve) => setTimeout(resolve, 20));
        half.destroy();
      });
    // Those that say a word now and then hold a connection, and nothing else.
    const slow = await Promise.all(Array.from({ length: CLIENTS }, () => opened(port)));
    for (const socket of slow) socket.write("POST /predict HTTP/1.1\r\nHost: x\r\nContent-");
    const all = [steady, rude, leaving].flatMap((act) => Array.from({ length: CLIENTS }, act));
    await Promise.all(all);
    expect(right).toBeGreaterThan(CLIENTS);
    expect([...statuses].every((status) => [200, 400, 413, 414, 431, undefined].includes(status))).toBe(true);
    expect(statuses.has(400) && statuses.has(413)).toBe(true);
    expect(await ask(port, post(GOOD))).toBe(200);
    expect((await memoryOf(port)) - before).toBeLessThan(3e8);
    expect(await inFlight(port)).toBeLessThanOrEqual(1);
    for (const socket of slow) socket.destroy();
    service.process.kill("SIGTERM");
    expect(await service.result).toMatchObject({ status: 0, error: "" });
  });

  it("told to end under load answers whatever has come to it", async () => {
    const { service, port } = await serving();
    running = service;
    const sockets = await Promise.all(Array.from({ length: CLIENTS }, () => opened(port)));
    // Each connection is known to the service before anything is asked of it.
    for (const socket of sockets) {
      socket.write("GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
      expect((await answer(socket))?.status).toBe(200);
    }
    // Together no more than wait: others would be told that the service is busy.
    const length = Math.min(900, Math.floor(18_000 / CLIENTS));
    const rows = JSON.stringify({ rows: Array.from({ length }, (_, i) => ({ size: i, colour: "red" })) });
    const answers = sockets.map((socket) => {
      socket.write(post(rows));
      return answer(socket);
    });
    // All have come when the service counts them; those that are done by then have their answers.
    let settled = 0;
    for (const one of answers) void one.then(() => settled++);
    while ((await inFlight(port)) - 1 + settled < CLIENTS) await new Promise((resolve) => setTimeout(resolve, 5));
    service.process.kill("SIGTERM");
    const told = await Promise.all(answers);
    for (const one of told) {
      expect(one?.status).toBe(200);
      expect((JSON.parse(one?.body ?? "") as { predictions: unknown[] }).predictions.length).toBe(length);
    }
    expect(await service.result).toMatchObject({ status: 0, error: "" });
    await expect(opened(port)).rejects.toThrow("ECONNREFUSED");
  });
});
