// How fast the way from a file to predictions is: `node bench/own-data.mjs [proteins.csv]`, a table with the columns id, seq and
// soluble; without one, random proteins of the same number and lengths. `only=serve,predict` chooses parts; `only=large` are files of FASTA and Parquet
// that have 4 GB and are read by a process with a heap of 64 MB (`gigabytes=1` for less). Needs `npm run build`.
import { spawn, spawnSync } from "node:child_process";
import { createWriteStream, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { encodeTable, openTable, readTable } from "../packages/data/dist/index.js";
import { audit } from "../packages/torte/dist/index.js";

const command = fileURLToPath(new URL("../packages/cli/bin/torte.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "torte-bench-"));
const given = process.argv.slice(2);
const only = given
  .find((word) => word.startsWith("only="))
  ?.slice(5)
  .split(",");
const gigabytes = Number(given.find((word) => word.startsWith("gigabytes="))?.slice(10) ?? 4);
const file = given.find((word) => !word.includes("=")) ?? makeProteins();
const wanted = (part) => only === undefined || only.includes(part);
const tell = (what, figure) => console.log(`${what.padEnd(52)} ${figure}`);
const seconds = (from) => (performance.now() - from) / 1000;

function makeProteins() {
  let state = 1;
  const next = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  const rows = Array.from({ length: 18_453 }, (_, i) => {
    const letters = Array.from(
      { length: 20 + Math.floor(next() * 180) },
      () => "ACDEFGHIKLMNPQRSTVWY"[Math.floor(next() * 20)],
    );
    return `p${i},${letters.join("")},${i % 2}`;
  });
  const path = join(folder, "random.csv");
  writeFileSync(path, `id,seq,soluble\n${rows.join("\n")}\n`);
  return path;
}

const torte = (...args) => {
  const started = performance.now();
  const { status, stderr } = spawnSync(process.execPath, [command, ...args], { cwd: folder, encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return seconds(started);
};
const least = (times, run) => Math.min(...Array.from({ length: times }, run));

if (wanted("version")) {
  const bare = least(10, () => {
    const started = performance.now();
    spawnSync(process.execPath, ["-e", "0"]);
    return seconds(started);
  });
  tell(
    "torte --version (of which node)",
    `${(1000 * least(10, () => torte("--version"))).toFixed(0)} ms (${(1000 * bare).toFixed(0)})`,
  );
}

if (wanted("read")) {
  const times = [];
  for (let i = 0; i < 5; i++) {
    const started = performance.now();
    encodeTable(await readTable(file), { target: "soluble", sequence: "seq" });
    times.push(seconds(started));
  }
  tell("reading and encoding 18,453 sequences", `${Math.min(...times).toFixed(2)} s`);
}

if (wanted("audit")) {
  const table = await readTable(file);
  const started = performance.now();
  audit(table, { target: "soluble", sequence: "seq" });
  tell("their audit", `${seconds(started).toFixed(1)} s`);
}

const run = join(folder, "run");
if (wanted("train"))
  tell(
    "torte train, default model, early stopping",
    `${torte("train", file, "--sequence", "seq", "--target", "soluble", "--out", run, "--quiet").toFixed(0)} s`,
  );
else if (wanted("predict") || wanted("serve"))
  torte("train", file, "--sequence", "seq", "--target", "soluble", "--epochs", "1", "--out", run, "--quiet");

if (wanted("predict")) {
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  const many = join(folder, "many.csv");
  const times = 12;
  writeFileSync(many, `${lines[0]}\n${`${lines.slice(1).join("\n")}\n`.repeat(times)}`);
  const rows = (lines.length - 1) * times;
  const took = least(3, () => torte("predict", run, many, "-o", join(folder, "told.csv"), "--quiet"));
  tell(`torte predict of ${rows} sequences, start included`, `${Math.round(rows / took)} a second`);
}

if (wanted("stream")) {
  const path = join(folder, "numbers.csv");
  const out = createWriteStream(path);
  out.write("a,b,c,d,e,f,g,h,i,j\n");
  for (let part = 0; part < 500; part++) {
    const row = Array.from({ length: 10 }, (_, i) => ((part * 7919 + i * 104_729) / 1e9).toFixed(6)).join(",");
    if (!out.write(`${row}\n`.repeat(10_000))) await once(out, "drain");
  }
  out.end();
  await once(out, "close");
  const started = performance.now();
  let [rows, most] = [0, 0];
  for await (const batch of (await openTable(path)).batches) {
    rows += batch.rows.length;
    most = Math.max(most, process.memoryUsage.rss());
  }
  tell(
    `a CSV of ${rows} rows, ten numbers, streamed`,
    `${Math.round(rows / seconds(started))} rows a second, at most ${Math.round(most / 1e6)} MB`,
  );
}

if (only?.includes("large")) await large();
if (wanted("serve")) await serve();
rmSync(folder, { recursive: true });

/** 50 clients, each asking for one row as soon as it has been answered, for ten seconds. */
async function serve() {
  const service = spawn(process.execPath, [command, "serve", run, "--port", "0", "--rate", "1000000"]);
  let printed = "";
  service.stdout.setEncoding("utf8").on("data", (text) => (printed += text));
  while (!printed.includes("serves")) await new Promise((resolve) => setTimeout(resolve, 20));
  const [, port] = /:(\d+)\//.exec(printed);
  const [, seq] = readFileSync(file, "utf8").split("\n", 2)[1].split(",");
  const body = JSON.stringify({ rows: [{ seq }] });
  const request = `POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const times = [];
  let end = performance.now() + 2000;
  const client = (keep) =>
    new Promise((resolve) => {
      const socket = connect(Number(port), "127.0.0.1").setNoDelay(true);
      let asked = 0;
      let text = "";
      const ask = () => {
        asked = performance.now();
        socket.write(request);
      };
      socket.on("connect", ask).on("data", (part) => {
        text += part;
        const head = text.indexOf("\r\n\r\n");
        if (head < 0 || text.length < head + 4 + Number(/content-length: (\d+)/i.exec(text)?.[1] ?? NaN)) return;
        if (!text.startsWith("HTTP/1.1 200")) throw new Error(text);
        text = "";
        if (keep) times.push(performance.now() - asked);
        if (performance.now() < end) ask();
        else resolve(socket.destroy());
      });
    });
  await Promise.all(Array.from({ length: 50 }, () => client(false)));
  const started = performance.now();
  end = started + 10_000;
  await Promise.all(Array.from({ length: 50 }, () => client(true)));
  const took = seconds(started);
  times.sort((a, b) => a - b);
  tell(
    "torte serve, 50 clients, single rows",
    `${Math.round(times.length / took)} a second, p99 ${times[Math.floor(0.99 * times.length)].toFixed(1)} ms`,
  );
  service.kill("SIGTERM");
  await once(service, "exit");
}

/** Files that are larger than the heap by far, with sequences of 500 letters, each of its own. */
async function large() {
  const [letters, each] = [500, 20_000];
  const parts = Math.round((gigabytes * 1e9) / letters / each);
  const text = "ACDEFGHIKLMNPQRSTVWY".repeat(50);
  const sequence = (row) =>
    `${text.slice(row % 20, (row % 20) + 490)}${String(row).padStart(10, "A")}`.replaceAll(/\d/g, "G");
  const sequencesOf = (part) => Array.from({ length: each }, (_, i) => sequence(part * each + i));
  const { fileWriter, ParquetWriter } = await import("hyparquet-writer");
  for (const format of ["fasta", "parquet"]) {
    const path = join(folder, `large.${format}`);
    if (format === "fasta") {
      const out = createWriteStream(path);
      for (let part = 0; part < parts; part++)
        if (
          !out.write(
            sequencesOf(part)
              .map((letters, i) => `>p${part}_${i}\n${letters}\n`)
              .join(""),
          )
        )
          await once(out, "drain");
      out.end();
      await once(out, "close");
    } else {
      const schema = [
        { name: "root", num_children: 1 },
        { name: "sequence", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "REQUIRED" },
      ];
      const writer = new ParquetWriter({ writer: fileWriter(path), schema, codec: "UNCOMPRESSED" });
      for (let part = 0; part < parts; part++)
        await writer.write({
          columnData: [{ name: "sequence", data: sequencesOf(part), encoding: "PLAIN" }],
          rowGroupSize: each,
        });
      await writer.finish();
    }
    const started = performance.now();
    const reader = fileURLToPath(new URL("../packages/data/test/read-all.mjs", import.meta.url));
    const child = spawnSync(process.execPath, ["--max-old-space-size=64", reader, path, String(parts * each)], {
      encoding: "utf8",
    });
    if (child.status !== 0) throw new Error(child.stderr);
    const { rows, quarter, most } = JSON.parse(child.stdout);
    if (rows !== parts * each) throw new Error(`${rows} rows instead of ${parts * each}`);
    tell(
      `${format} of ${(statSync(path).size / 1e9).toFixed(1)} GB, ${rows} sequences, heap of 64 MB`,
      `${Math.round(rows / seconds(started))} a second, at most ${most} MB (${quarter} in the first quarter)`,
    );
    rmSync(path);
  }
}
