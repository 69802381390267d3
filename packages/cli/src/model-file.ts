/** The models of a run; the first one's file has in its extras the encoding of the table, and what becomes of the probabilities. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  type Decision,
  Predictor,
  readDecision,
  readyImages,
  TableEncoding,
  type Uncertainty,
  UNDECIDED,
} from "@torte/data";
import { DataError, loadModel, type Model } from "torte";

/** The file of the first model of a run, the second, … */
export const modelFile = (member: number): string => `model${member === 0 ? "" : `-${member + 1}`}.safetensors`;

/** The models of a run, and how raw rows become their inputs; undefined where they were not trained on a table. */
export interface RunModels {
  readonly models: readonly Model[];
  readonly predictor: Predictor | undefined;
}

/** @throws DataError for a folder without a model, and for what is no file of one. */
export async function readModels(run: string, threads?: number, uncertainty?: Uncertainty): Promise<RunModels> {
  const models: Model[] = [];
  let encoding: TableEncoding | undefined;
  let decision: Decision = UNDECIDED;
  for (let member = 0; member === 0 || existsSync(join(run, modelFile(member))); member++) {
    const path = join(run, modelFile(member));
    const model = await loadModel(path, threads === undefined ? {} : { threads });
    models.push(model);
    if (member > 0) continue;
    const { encoding: table, decision: chosen } = model.extras;
    if (table !== undefined) encoding = TableEncoding.fromJSON(table);
    if (chosen !== undefined) decision = readDecision(chosen);
  }
  const predictor = encoding === undefined ? undefined : new Predictor(models, encoding, decision, uncertainty);
  return { models, predictor };
}

/** How the models of a run on a table encode its columns; of an ensemble the first one knows it. @throws DataError where it is none. */
export async function readEncoding(run: string): Promise<TableEncoding> {
  const model = await loadModel(join(run, modelFile(0)), { threads: 1 });
  const { encoding } = model.extras;
  await model.close();
  if (encoding === undefined) throw noTable(run);
  return TableEncoding.fromJSON(encoding);
}

const noTable = (run: string): DataError =>
  new DataError({
    where: run,
    problem: "the model was not trained on a table",
    fix: "Its experiment says how rows become inputs; predict with model.predict in TypeScript.",
  });

/** The models of a run on a table. @throws DataError where it is none. */
export async function readPredictor(run: string, threads?: number, uncertainty?: Uncertainty): Promise<Predictor> {
  const { predictor } = await readModels(run, threads, uncertainty);
  if (predictor !== undefined) {
    if (Object.values(predictor.encoding.kinds).includes("image")) await readyImages();
    return predictor;
  }
  throw noTable(run);
}
