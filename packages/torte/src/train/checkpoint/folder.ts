/**
 * The folder of checkpoints: files that are written whole, and a list of them that is replaced last. Whatever interrupts a
 * write, the list names whole files; what it does not name is removed at the next opening.
 */
import { builtin } from "../../builtin.js";
import { parseJson } from "../../data/json.js";
import { type Header, type Safetensors, headerEnd, parseHeader, readTensors } from "../../data/safetensors.js";
import { among, type Check, checkSchema, fields, list, text, whole } from "../../data/schema.js";
import { inBlocks, makeFolder, unwritable, writeWhole } from "../../data/write.js";
import { DataError, TorteError } from "../../errors.js";

/** A file, and what must be in it. */
export interface FileRecord {
  readonly file: string;
  readonly bytes: number;
  /** Of all its bytes, in hexadecimal digits. */
  readonly sha256: string;
}

/** One checkpoint: where in the run it was made, and its files. */
export interface CheckpointEntry {
  /** From 0: the epoch that comes next, or that is under way. */
  readonly epoch: number;
  /** Steps that are done of it. */
  readonly step: number;
  readonly state: FileRecord;
  /** The weights that early stopping has kept. */
  readonly best?: FileRecord;
}

interface Manifest {
  readonly format: "torte-checkpoints";
  readonly version: 1;
  /** The newest last. */
  readonly checkpoints: readonly CheckpointEntry[];
}

const MANIFEST = "checkpoint.json";
/** Far more than a list of checkpoints needs. */
const LONGEST_MANIFEST = 1_000_000;
const NAME = /^(state|best)-(\d{6,15})\.safetensors$/;
const PART = /^\.(checkpoint\.json|(state|best)-\d{6,15}\.safetensors)\.part$/;

const named: Check = (value, path) =>
  typeof value === "string" && NAME.test(value)
    ? undefined
    : { path, expected: "the name of a file of checkpoints", received: value };
const digest: Check = (value, path) =>
  typeof value === "string" && /^[0-9a-f]{64}$/.test(value)
    ? undefined
    : { path, expected: "64 hexadecimal digits", received: value };
const file = fields({ file: named, bytes: whole(8), sha256: digest });
const SCHEMA = fields(
  {
    format: among("torte-checkpoints"),
    version: among(1),
    checkpoints: list(
      fields({ epoch: whole(0), step: whole(0), state: file }, { optional: { best: file, written: text }, more: true }),
    ),
  },
  { more: true },
);

/** The list of a folder; undefined where there is none. @throws DataError for one that is corrupt or of a later version. */
async function readManifest(folder: string): Promise<Manifest | undefined> {
  const path = `${folder}/${MANIFEST}`;
  const files = builtin("node:fs/promises");
  const handle = await files.open(path, "r").catch((error: unknown) => {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return undefined;
    throw unreadable(path, error);
  });
  if (handle === undefined) return undefined;
  try {
    const { size } = await handle.stat();
    if (size > LONGEST_MANIFEST) throw new DataError({ where: path, problem: "this is no list of checkpoints" });
    const value = parseJson(await handle.readFile("utf8"), path);
    checkSchema(value, SCHEMA, path, "the list of checkpoints is corrupt");
    return value as Manifest;
  } catch (error) {
    throw error instanceof TorteError ? error : unreadable(path, error);
  } finally {
    await handle.close();
  }
}

/** The checkpoints of a folder, the newest last. */
export async function listCheckpoints(folder: string): Promise<readonly CheckpointEntry[]> {
  return (await readManifest(folder))?.checkpoints ?? [];
}

/**
 * What a file of a checkpoint holds. Its header is given to `check` before anything of the tensors' size is allocated.
 *
 * @throws DataError for a file that is missing, or not the one that was written.
 */
export async function readRecorded(
  folder: string,
  { file, bytes, sha256 }: FileRecord,
  check: (header: Header, path: string) => void,
): Promise<Safetensors> {
  const path = `${folder}/${file}`;
  const handle = await builtin("node:fs/promises")
    .open(path, "r")
    .catch((error: unknown) => {
      throw unreadable(path, error);
    });
  try {
    const { size } = await handle.stat();
    if (size !== bytes) {
      const [expected, received] = [`${bytes} bytes`, String(size)];
      throw new DataError({ where: path, problem: "the file is not the one that was written", expected, received });
    }
    const hash = builtin("node:crypto").createHash("sha256");
    const read = async (from: number, length: number): Promise<Uint8Array> => {
      const part = new Uint8Array(length);
      for (let at = 0; at < length;) {
        const { bytesRead } = await handle.read(part, at, Math.min(length - at, BLOCK), from + at);
        if (bytesRead === 0) throw new DataError({ where: path, problem: "the file is cut short" });
        hash.update(part.subarray(at, at + bytesRead));
        at += bytesRead;
      }
      return part;
    };
    const first = await read(0, 8);
    const end = headerEnd(first, size, path);
    const rest = await read(8, end - 8);
    const header = parseHeader(rest, size - end, path);
    check(header, path);
    const data = await read(end, size - end);
    if (hash.digest("hex") !== sha256)
      throw new DataError({ where: path, problem: "the file is damaged: its checksum is another one" });
    return { tensors: readTensors(data, header.entries, path), metadata: header.metadata };
  } catch (error) {
    throw error instanceof TorteError ? error : unreadable(path, error);
  } finally {
    await handle.close();
  }
}

const BLOCK = 2 ** 20;

/** A folder that checkpoints are written to. */
export class CheckpointFolder {
  readonly path: string;
  readonly #keep: number;
  #checkpoints: readonly CheckpointEntry[];
  #next: number;

  private constructor(path: string, keep: number, checkpoints: readonly CheckpointEntry[]) {
    this.path = path;
    this.#keep = keep;
    this.#checkpoints = checkpoints;
    const numbers = checkpoints.map(({ state }) => Number(NAME.exec(state.file)?.[2] ?? 0));
    this.#next = 1 + Math.max(0, ...numbers);
  }

  /**
   * Makes the folder where it is missing, sees that it can be written, and removes what an interrupted write has left.
   *
   * @throws DataError where it cannot be written, or its list is corrupt.
   */
  static async open(path: string, keep: number): Promise<CheckpointFolder> {
    const known = await readManifest(path);
    await makeFolder(path).catch((error: unknown) => {
      throw unwritable(path, error);
    });
    const folder = new CheckpointFolder(path, keep, known?.checkpoints ?? []);
    await folder.#list();
    await folder.#sweep();
    return folder;
  }

  /**
   * A checkpoint of these contents, in place of the oldest where there are enough.
   *
   * @throws DataError where it cannot be written; nothing of it is left, and the checkpoints before are as they were.
   */
  async add(
    position: Pick<CheckpointEntry, "epoch" | "step">,
    state: Iterable<Uint8Array>,
    best?: FileRecord | Iterable<Uint8Array>,
  ): Promise<CheckpointEntry> {
    const before = this.#checkpoints;
    try {
      const kept = best === undefined || "sha256" in best ? best : await this.#write("best", best);
      const entry = {
        ...position,
        state: await this.#write("state", state),
        ...(kept === undefined ? {} : { best: kept }),
      };
      this.#checkpoints = [...before, entry].slice(-this.#keep);
      await this.#list();
      this.#next++;
      await this.#sweep();
      return entry;
    } catch (error) {
      this.#checkpoints = before;
      await this.#sweep().catch(() => undefined); // what counts is why it could not be written
      throw error;
    }
  }

  async #write(kind: "state" | "best", pieces: Iterable<Uint8Array>): Promise<FileRecord> {
    const file = `${kind}-${String(this.#next).padStart(6, "0")}.safetensors`;
    const hash = builtin("node:crypto").createHash("sha256");
    let bytes = 0;
    const counted = function* (): Generator<Uint8Array> {
      for (const block of inBlocks(pieces, BLOCK)) {
        hash.update(block);
        bytes += block.length;
        yield block;
      }
    };
    await writeWhole(`${this.path}/${file}`, counted());
    return { file, bytes, sha256: hash.digest("hex") };
  }

  async #list(): Promise<void> {
    const manifest: Manifest = { format: "torte-checkpoints", version: 1, checkpoints: this.#checkpoints };
    await writeWhole(`${this.path}/${MANIFEST}`, `${JSON.stringify(manifest, null, 2)}\n`);
  }

  /** Removes files of checkpoints that the list does not name. */
  async #sweep(): Promise<void> {
    const named = new Set(this.#checkpoints.flatMap(({ state, best }) => [state.file, best?.file]));
    const files = builtin("node:fs/promises");
    for (const name of await files.readdir(this.path)) {
      if (!PART.test(name) && (!NAME.test(name) || named.has(name))) continue;
      await files.rm(`${this.path}/${name}`, { force: true });
    }
  }
}

const codeOf = (error: unknown): unknown => (error instanceof Error && "code" in error ? error.code : undefined);

function unreadable(path: string, error: unknown): DataError {
  const received = error instanceof Error ? error.message : String(error);
  const wrong = new DataError({ where: path, problem: "the file cannot be read", received });
  wrong.cause = error;
  return wrong;
}
