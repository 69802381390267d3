/** What a run keeps in its model's file beside the model. */
import { readFile } from "node:fs/promises";
import { TableEncoding } from "@torte/data";
import { DataError, loadModel, type Model, parseSafetensors } from "torte";

/** Where the header of the file has the encoding of the table. */
export const ENCODING_KEY = "torte-encoding";

export interface ModelFile {
  readonly model: Model;
  /** Undefined for a model that was not trained on a table. */
  readonly encoding: TableEncoding | undefined;
}

/** @throws DataError for what is no file of a model. */
export async function readModelFile(path: string, threads?: number): Promise<ModelFile> {
  const bytes = await readFile(path).catch((error: unknown) => {
    const received = error instanceof Error ? error.message : String(error);
    throw new DataError({ where: path, problem: "the model cannot be read", received });
  });
  const { metadata } = parseSafetensors(bytes, path);
  const text = metadata[ENCODING_KEY];
  const model = await loadModel(bytes, threads === undefined ? {} : { threads });
  return { model, encoding: text === undefined ? undefined : TableEncoding.fromJSON(JSON.parse(text)) };
}
