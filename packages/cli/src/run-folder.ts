/** The folder of a run: files that are replaced as a whole, so that a reader or a crash never meets half of one. */
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { OptionError } from "torte";

export class RunFolder {
  private constructor(readonly path: string) {}

  /** Makes `runs/<time>-<name>`, or the folder that is asked for. @throws OptionError where it cannot be made. */
  static async create(name: string, asked: string | undefined, now: Date = new Date()): Promise<RunFolder> {
    if (asked !== undefined) {
      await RunFolder.check(asked);
      await makeFolder("--out", asked);
      return new RunFolder(asked);
    }
    await makeFolder("runs", "runs");
    for (let again = 1; ; again++) {
      const path = join("runs", `${stamp(now)}${again === 1 ? "" : `.${again}`}-${name}`);
      try {
        await mkdir(path);
        return new RunFolder(path);
      } catch (error) {
        if (codeOf(error) !== "EEXIST") throw unusable("runs", path, error);
      }
    }
  }

  /** To be asked before anything that takes long. @throws OptionError where the folder has something in it already. */
  static async check(asked: string): Promise<void> {
    if (!existsSync(asked) || (await contentsOf(asked)).length === 0) return;
    throw new OptionError({
      where: "--out",
      problem: "the folder is not empty",
      expected: "a new or an empty folder",
      received: asked,
    });
  }

  async write(file: string, content: string | Uint8Array): Promise<void> {
    const part = join(this.path, `.${file}.${randomUUID()}`);
    try {
      const handle = await open(part, "wx");
      try {
        await handle.writeFile(content);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(part, join(this.path, file));
    } catch (error) {
      await rm(part, { force: true });
      throw error;
    }
  }

  writeJson(file: string, value: unknown): Promise<void> {
    return this.write(file, `${JSON.stringify(value, null, 2)}\n`);
  }
}

async function contentsOf(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path);
  } catch {
    throw new OptionError({ where: "--out", problem: "this is no folder", received: path });
  }
}

/** Folder by folder: Node's recursive mkdir never returns on file systems that accept no folders. */
async function makeFolder(where: string, path: string): Promise<void> {
  try {
    const above = dirname(resolve(path));
    if (!existsSync(above)) await makeFolder(where, above);
    await mkdir(path);
  } catch (error) {
    if (error instanceof OptionError) throw error;
    if (codeOf(error) !== "EEXIST") throw unusable(where, path, error);
  }
}

function unusable(where: string, path: string, error: unknown): OptionError {
  const reason = error instanceof Error ? error.message.replace(/, \w+ '.*'$/, "") : String(error);
  return new OptionError({ where, problem: `the folder ${path} cannot be made (${reason})` });
}

const codeOf = (error: unknown): unknown => (error instanceof Error && "code" in error ? error.code : undefined);

/** Local time, as it sorts: 20260301-142530. */
function stamp(now: Date): string {
  const two = (n: number): string => String(n).padStart(2, "0");
  const day = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  return `${day}-${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
}
