/**
 * The journal of a study: a file of lines, each with its length in bytes and its CRC-32 before the JSON, so that a line that was
 * not written to its end is known from one that was changed.
 */
import { closeSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { DataError, TorteError } from "torte";
import type { JournalEvent } from "../study/events.js";
import { crc32 } from "./crc32.js";

export const JOURNAL = "journal.jsonl";

/** A file of the study cannot be written. */
export class StudyFileError extends TorteError {
  constructor(where: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message.replace(/, \w+( '.*')?$/, "") : String(cause);
    const fix = "Make room, then resume the study: nothing that was told before is lost.";
    super({ where, problem: `the file cannot be written (${reason})`, fix });
    this.cause = cause;
  }
}

/** "57 1a2b3c4d {…}". */
export function formatLine(event: JournalEvent): string {
  const text = JSON.stringify(event);
  const bytes = new TextEncoder().encode(text);
  return `${bytes.length} ${crc32(bytes).toString(16).padStart(8, "0")} ${text}\n`;
}

interface Parsed {
  readonly events: readonly JournalEvent[];
  /** Bytes of whole lines; what follows was never finished. */
  readonly length: number;
}

/**
 * The events of a journal. A last line without its end is left out.
 *
 * @throws DataError for any other line that is not as it was written, with its number.
 */
export function parseJournal(bytes: Uint8Array, where: string): Parsed {
  const events: JournalEvent[] = [];
  let at = 0;
  for (let line = 1; at < bytes.length; line++) {
    const end = bytes.indexOf(10, at);
    if (end < 0) break; // torn
    events.push(parseLine(bytes.subarray(at, end), `${where}:${line}`));
    at = end + 1;
  }
  return { events, length: at };
}

function parseLine(line: Uint8Array, where: string): JournalEvent {
  const text = new TextDecoder().decode(line);
  const match = /^(\d+) ([0-9a-f]{8}) /.exec(text);
  const fix = "Take the file back from a copy, or cut it before this line: the study then goes on from there.";
  if (match === null)
    throw new DataError({
      where,
      problem: "the line is none of a journal",
      expected: "its length, its checksum and JSON",
      fix,
    });
  const [head, length, checksum] = match;
  const body = line.subarray(head.length);
  if (body.length !== Number(length))
    throw new DataError({
      where,
      problem: "the line has another length",
      expected: `${length} bytes`,
      received: String(body.length),
      fix,
    });
  const found = crc32(body).toString(16).padStart(8, "0");
  if (found !== checksum)
    throw new DataError({
      where,
      problem: "the line was changed",
      expected: `the checksum ${checksum}`,
      received: found,
      fix,
    });
  return JSON.parse(text.slice(head.length)) as JournalEvent;
}

/** A journal that one process writes. */
export class Journal {
  readonly path: string;
  readonly #file: number;

  private constructor(path: string, file: number) {
    this.path = path;
    this.#file = file;
  }

  /** Opens the journal of a folder, or begins one; a torn tail is cut off. @throws as parseJournal. */
  static open(folder: string): { readonly journal: Journal; readonly events: readonly JournalEvent[] } {
    const path = join(folder, JOURNAL);
    try {
      const file = openSync(path, "a+");
      const bytes = readFileSync(path);
      const { events, length } = parseJournal(bytes, path);
      if (length < bytes.length) ftruncateSync(file, length);
      return { journal: new Journal(path, file), events };
    } catch (error) {
      if (error instanceof TorteError) throw error;
      throw new StudyFileError(path, error);
    }
  }

  /** @throws StudyFileError, after which the file has whole lines and at most a torn one, which the next opening cuts. */
  append(event: JournalEvent): void {
    const bytes = new TextEncoder().encode(formatLine(event));
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(this.#file, bytes, at);
      if (event.event !== "epoch") fsyncSync(this.#file);
    } catch (error) {
      throw new StudyFileError(this.path, error);
    }
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** The events of a study's folder, for whoever only looks. @throws DataError where there is no journal. */
export function readJournal(folder: string): readonly JournalEvent[] {
  const path = join(folder, JOURNAL);
  try {
    return parseJournal(readFileSync(path), path).events;
  } catch (error) {
    if (error instanceof TorteError) throw error;
    throw new DataError({ where: folder, problem: "this is no study's folder", expected: `a file ${JOURNAL}` });
  }
}
