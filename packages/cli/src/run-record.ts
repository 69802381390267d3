/** What a run says of itself in run.json, as later commands read it. */
import { DataError, isRecord, type Opening, show } from "torte";

/** A file that an experiment imports from beside it. */
export interface ModuleCopy {
  readonly path: string;
  /** In the run folder. */
  readonly copy: string;
  readonly sha256: string;
}

/** What later commands need of it; it has more, which they keep as it is. */
export interface RunRecord {
  readonly status: string;
  readonly experiment: {
    readonly name: string;
    readonly file: string;
    readonly path: string;
    readonly copy: string;
    readonly sha256: string;
    readonly generated?: boolean;
    /** Files that it imports from beside it. */
    readonly modules?: readonly ModuleCopy[];
  };
  readonly options: {
    readonly variant: string;
    readonly epochs: number;
    readonly batchSize: number;
    readonly seed: number;
    readonly threads: number;
    readonly ensemble?: number;
    readonly from?: string;
    readonly freeze?: string;
  };
  readonly data: { readonly sources: readonly unknown[]; readonly synthetic: boolean };
  readonly openings: readonly Opening[];
  readonly started: string;
}

const isModuleCopy = (value: unknown): value is ModuleCopy =>
  isRecord(value) && ["path", "copy", "sha256"].every((name) => typeof value[name] === "string");

/** @throws DataError for what no run has written, and for a run that has not come to its end. */
export function readRecord(text: string, where: string): RunRecord {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new DataError({ where, problem: "this is no JSON", received: (error as Error).message });
  }
  const isText = (of: unknown): boolean => typeof of === "string";
  const { experiment, options, data, openings = [], started } = isRecord(value) ? value : {};
  const fits =
    isRecord(experiment) &&
    ["name", "file", "path", "copy", "sha256"].every((name) => isText(experiment[name])) &&
    (experiment["modules"] === undefined ||
      (Array.isArray(experiment["modules"]) && experiment["modules"].every(isModuleCopy))) &&
    isRecord(options) &&
    isText(options["variant"]) &&
    ["epochs", "batchSize", "seed", "threads"].every((name) => Number.isSafeInteger(options[name])) &&
    isRecord(data) &&
    Array.isArray(data["sources"]) &&
    Array.isArray(openings) &&
    isText(started);
  if (!fits)
    throw new DataError({
      where,
      problem: "the run has not been described",
      expected: "what torte train writes",
      received: show(value),
    });
  return { ...(value as RunRecord), openings: openings as readonly Opening[] };
}
