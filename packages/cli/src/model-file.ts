/** What a run keeps in its models' files beside the models. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Decision, Predictor, readDecision, TableEncoding, UNDECIDED } from "@torte/data";
import { DataError, loadModel, type Model, parseSafetensors } from "torte";

/** Where the header of the file has the encoding of the table, */
export const ENCODING_KEY = "torte-encoding";
/** and what becomes of the probabilities. */
export const DECISION_KEY = "torte-decision";

/** The file of the first model of a run, the second, … */
export const modelFile = (member: number): string => `model${member === 0 ? "" : `-${member + 1}`}.safetensors`;

/** The models of a run, and how raw rows become their inputs; undefined where they were not trained on a table. */
export interface RunModels {
  readonly models: readonly Model[];
  readonly predictor: Predictor | undefined;
}

/** @throws DataError for a folder without a model, and for what is no file of one. */
export async function readModels(run: string, threads?: number): Promise<RunModels> {
  const models: Model[] = [];
  let encoding: TableEncoding | undefined;
  let decision: Decision = UNDECIDED;
  for (let member = 0; member === 0 || existsSync(join(run, modelFile(member))); member++) {
    const path = join(run, modelFile(member));
    const bytes = await readFile(path).catch((error: unknown) => {
      const received = error instanceof Error ? error.message : String(error);
      throw new DataError({ where: path, problem: "the model cannot be read", received });
    });
    models.push(await loadModel(bytes, threads === undefined ? {} : { threads }));
    if (member > 0) continue;
    const { metadata } = parseSafetensors(bytes, path);
    const [table, chosen] = [metadata[ENCODING_KEY], metadata[DECISION_KEY]];
    if (table !== undefined) encoding = TableEncoding.fromJSON(parsed(table, path));
    if (chosen !== undefined) decision = readDecision(parsed(chosen, path));
  }
  return { models, predictor: encoding === undefined ? undefined : new Predictor(models, encoding, decision) };
}

/** The models of a run on a table. @throws DataError where it is none. */
export async function readPredictor(run: string, threads?: number): Promise<Predictor> {
  const { predictor } = await readModels(run, threads);
  if (predictor !== undefined) return predictor;
  throw new DataError({
    where: run,
    problem: "the model was not trained on a table",
    fix: "Its experiment says how rows become inputs; predict with model.predict in TypeScript.",
  });
}

function parsed(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new DataError({ where, problem: "the header is corrupt", received: (error as Error).message });
  }
}
