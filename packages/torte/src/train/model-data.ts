/** Data as a model takes it. */
import { Dataset, type TensorOrList } from "../data/dataset.js";
import { refuseTest } from "../data/sealed.js";
import { positiveInteger } from "../errors.js";

export interface BatchOptions {
  /** Rows at a time. Default: that of the dataset, else 32. */
  readonly batchSize?: number;
}

/** Data to train or evaluate on. */
export type Data =
  Dataset | { readonly x: TensorOrList; readonly y?: TensorOrList; readonly sampleWeight?: TensorOrList };

export function asDataset(data: Data): Dataset {
  return data instanceof Dataset ? data : Dataset.fromTensors(data);
}

/** Data that something is learnt from or chosen by, which the test part is not. */
export function learntFrom(where: string, data: Data): Dataset {
  refuseTest(where, data);
  return asDataset(data);
}

export function batchSizeOf(where: string, data: Pick<Dataset, "batchSize">, options: BatchOptions): number {
  return positiveInteger(where, "batchSize", options.batchSize ?? data.batchSize ?? 32);
}
