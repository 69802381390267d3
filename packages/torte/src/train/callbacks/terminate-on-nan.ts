/** Ending a run in which numbers have stopped being finite without an error. */
import type { Callback } from "../callbacks.js";

/**
 * Ends training where the loss or a weight stops being finite, as `fit` does without it, but gives the history instead of
 * throwing: `history.ended` is "stopped", `history.failure` tells step, layer and the tensor's statistics. The weights are
 * those before the step that went wrong; where early stopping has kept better ones, it restores them.
 *
 * Keras goes on with what is NaN where this callback is missing; Torte never does.
 *
 * @example
 * import { dense, input, lambda, ops, sequential, tensor, terminateOnNaN } from "torte";
 * const model = sequential(input({ shape: [1] }), dense({ units: 1 }), lambda((x) => ops.log(ops.sub(x, x))));
 * model.compile({ loss: "meanSquaredError", optimizer: "sgd" });
 * const history = await model.fit({ x: tensor([[1]]), y: tensor([[1]]) }, { callbacks: [terminateOnNaN()] });
 * console.log(history.ended, history.failure?.layer, history.failure?.tensor?.infinite); // stopped lambda 1
 */
export function terminateOnNaN(): Callback {
  return {
    onNotFinite: (_failure, control) => {
      control.stop();
    },
  };
}
