/** A PostgreSQL server of Debian's package for a test: in a folder of its own, as a user without rights, stopped and started at will. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { createServer, connect } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

/** The folder of the server's programs; undefined where there is none. */
export function postgresPrograms(): string | undefined {
  const base = "/usr/lib/postgresql";
  const versions = existsSync(base) ? readdirSync(base).sort((a, b) => Number(b) - Number(a)) : [];
  return versions.map((version) => join(base, version, "bin")).find((folder) => existsSync(join(folder, "initdb")));
}

/** The server refuses to run as root. */
function unprivileged(): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const users = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"));
  const [, , uid, gid] = users.find(([name]) => name === "postgres") ?? users.find(([name]) => name === "nobody") ?? [];
  return { uid: Number(uid), gid: Number(gid) };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" ? (address?.port ?? 0) : 0));
    });
  });
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });

export class PostgresServer {
  readonly url: string;
  readonly #programs: string;
  readonly #data: string;
  readonly #port: number;
  readonly #address: string;
  readonly #user = unprivileged();
  #server: ChildProcess | undefined;

  private constructor(programs: string, data: string, port: number, address: string) {
    this.#programs = programs;
    this.#data = data;
    this.#port = port;
    this.#address = address;
    this.url = `postgres://torte@127.0.0.1:${port}/postgres`;
  }

  /** In a new folder below one that everybody may enter; it listens at `address`. */
  static async start(programs: string, folder: string, address = "127.0.0.1"): Promise<PostgresServer> {
    mkdirSync(folder, { recursive: true });
    const server = new PostgresServer(programs, folder, await freePort(), address);
    const { uid, gid } = server.#user;
    if (uid !== undefined && gid !== undefined) chownSync(folder, uid, gid);
    const args = ["-D", folder, "-U", "torte", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"];
    execFileSync(join(programs, "initdb"), args, { ...server.#user, cwd: folder, stdio: "ignore" });
    await server.run();
    return server;
  }

  async run(): Promise<void> {
    const settings = [`listen_addresses=${this.#address}`, "unix_socket_directories=", "fsync=off"].flatMap((one) => [
      "-c",
      one,
    ]);
    this.#server = spawn(join(this.#programs, "postgres"), ["-D", this.#data, "-p", String(this.#port), ...settings], {
      ...this.#user,
      cwd: this.#data,
      stdio: "ignore",
    });
    while (!(await answers(this.#port))) await pause(100);
  }

  /** Ends all connections and the server. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined || server.exitCode !== null) return;
    const exit = new Promise((resolve) => server.once("exit", resolve));
    server.kill("SIGINT");
    await exit;
  }
}
