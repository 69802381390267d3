/** Numbers that stopped being finite: what is told of them. */
import { TrainingError } from "../errors.js";

/** Where and when numbers stopped being finite. */
export interface NotFinite {
  /** From 1, over all of the model's training. */
  readonly step: number;
  /** The layer or weight where the first number comes from that is not finite. */
  readonly layer: string;
  readonly problem: string;
}

const FIX = "Try a smaller learning rate, scale the inputs, or look for extreme values in the data.";

/** The loss or a weight is no longer finite. */
export class NotFiniteError extends TrainingError {
  constructor(readonly failure: NotFinite) {
    const { step, problem } = failure;
    super({ where: `step ${step}`, problem, fix: FIX });
  }
}
