/** What models do with files. Loaded where it is asked for, so that a page that only trains does without. */
import { formatSafetensors, parseSafetensors } from "../data/safetensors.js";
import { isRecord } from "../data/schema.js";
import { readSource, type Source, sourceName } from "../data/source.js";
import { OptionError, show } from "../errors.js";
import type { State } from "../graph/node.js";
import type { Network } from "../nn/network.js";
import type { Bytes } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";
import { readAll } from "./checkpoint/arrays.js";
import type { TrainingSetup } from "./training-setup.js";
import type { EngineModel } from "./engine-model.js";
import { finishing } from "./finish.js";
import type { SaveModelOptions, SaveOptions } from "./model.js";
import { describeWhole, type SavedTraining, takeApart, trainingParts } from "./saved-training.js";
import {
  checkMetadata,
  compareWeights,
  type Extras,
  fitting,
  type ModelDescription,
  modelMetadata,
  requireAll,
  type WeightReport,
} from "./saving.js";

export { describeNetwork, refuse } from "../nn/serialize/description.js";

type Tensors = Readonly<Record<string, Tensor>>;

/** The bytes of a file with weights alone. */
export async function weightsFile(read: () => Promise<Tensors>, { metadata = {} }: SaveOptions): Promise<Bytes> {
  checkMetadata("saveWeights", metadata);
  return formatSafetensors(await read(), metadata);
}

/** What a file has for a network, and which of its weights are to be set. @throws DataError as loadWeights does. */
export async function weightsOf(
  { weights }: Network,
  source: Source,
  strict: boolean,
): Promise<{ readonly report: WeightReport; readonly values: Tensors }> {
  const where = sourceName(source, "loadWeights");
  const file = parseSafetensors(await readSource(source, where), where);
  const tensors = takeApart(file.tensors, file.metadata, where, false).weights;
  const report = compareWeights(weights, tensors);
  if (strict) requireAll(report, tensors, where, "To set only the weights that fit, give { strict: false }.");
  return { report, values: fitting(report, tensors) };
}

/** A model as it is to be written. */
export interface Saved {
  readonly description: ModelDescription;
  readonly engine: EngineModel;
  /** What it was compiled for, if that goes into the file. */
  readonly compiled: TrainingSetup | undefined;
  /** Those that it has, unless others are given. */
  readonly extras: Extras;
  readonly readWeights: () => Promise<Record<string, Tensor>>;
}

/** The bytes of a file with the model and what training keeps. */
export async function modelFile(model: Saved, options: SaveModelOptions): Promise<Bytes> {
  checkMetadata("save", options.metadata ?? {});
  const extras: unknown = options.extras ?? model.extras;
  if (!isRecord(extras)) {
    const expected = "an object";
    throw new OptionError({ where: "save", problem: "extras has the wrong type", expected, received: show(extras) });
  }
  const { weights, training } = await contents(model);
  const parts = training === undefined ? undefined : trainingParts(training, weights);
  const metadata = { ...options.metadata, ...modelMetadata(model.description, extras), ...parts?.metadata };
  return formatSafetensors({ ...weights, ...parts?.tensors }, metadata);
}

/** Weights and what training keeps, of one moment. */
async function contents({
  engine,
  compiled,
  readWeights,
}: Saved): Promise<{ weights: Record<string, Tensor>; training?: SavedTraining }> {
  const given = compiled?.given;
  if (compiled === undefined || given === undefined) return { weights: await readWeights() };
  const states = compiled.started ? compiled.state() : new Map<string, State>();
  const { epochs, history } = compiled.course;
  const { session, weights } = engine;
  const copy = engine.snapshotName("saved");
  await engine.prepare();
  await session.snapshot(copy, [...weights, ...states.values()]);
  const named = new Map([...engine.network.weights].map(([name, { state }]) => [name, state] as const));
  return finishing(
    async () => ({
      weights: await readAll(session, copy, named),
      training: { ...describeWhole(given), epochs, history, states: await readAll(session, copy, states) },
    }),
    [() => session.forget(copy)],
  );
}
