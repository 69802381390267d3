/** What a run is a run of, in words of JSON, and what differs between two. */
import { DataError, show } from "../../errors.js";
import { isRecord } from "../../data/schema.js";
import type { Identity } from "./record.js";

/** What people call the parts. */
const PARTS: Readonly<Record<string, string>> = {
  backend: "the backend",
  precision: "the precision",
  batchSize: "the batch size",
  model: "the model",
  optimizer: "the optimizer",
  goals: "the loss, or what else compile was given,",
  options: "an option of fit",
  data: "the training data",
  validation: "validationData",
  callbacks: "the list of callbacks",
};

/**
 * @throws DataError that names the first part in which the run differs from that of the checkpoint.
 */
export function requireSame(saved: Identity, now: Identity, where: string): void {
  for (const [part, name] of Object.entries(PARTS)) {
    const [before, after] = [saved, now].map((identity) => sameBits(part, identity[part] ?? null));
    const found = difference(before, after, "");
    if (found === undefined) continue;
    throw new DataError({
      where,
      problem: `${name} is not that of the run${found.path === "" ? "" : `, at ${found.path}`}`,
      expected: show(found.saved),
      received: show(found.now),
      fix: "A run goes on only with everything as it was; train anew in another folder for what is to be different.",
    });
  }
}

/** Compiled backends give the same bits: a run may go on with another of them. */
const sameBits = (part: string, value: unknown): unknown =>
  part === "backend" && (value === "auto" || value === "native") ? "wasm" : value;

interface Difference {
  readonly path: string;
  readonly saved: unknown;
  readonly now: unknown;
}

/** The first place where two values of JSON differ. */
function difference(saved: unknown, now: unknown, path: string): Difference | undefined {
  if (Object.is(saved, now)) return undefined;
  const [lists, records] = [Array.isArray(saved) && Array.isArray(now), isRecord(saved) && isRecord(now)];
  if (!lists && !records) return { path, saved, now };
  const [a, b] = [saved, now] as Readonly<Record<string, unknown>>[];
  for (const name of new Set([...Object.keys(a ?? {}), ...Object.keys(b ?? {})])) {
    const below = lists ? `${path}[${name}]` : path === "" ? name : `${path}.${name}`;
    const [before, after] = [a, b].map((owner) =>
      owner !== undefined && Object.hasOwn(owner, name) ? owner[name] : undefined,
    );
    const found = difference(before, after, below);
    if (found !== undefined) return found;
  }
  return undefined;
}
