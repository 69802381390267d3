/** Axes of a value: those that an option names, and those that a layer expects. */
import { OptionError, ShapeError, show } from "../errors.js";
import type { Node } from "../graph/node.js";
import { formatShape } from "../tensor/shape.js";

/** An axis of one example, which may be counted from the end, as a position in the batch's shape. */
export function exampleAxis(where: string, value: Node, given: number): number {
  const rank = value.shape.length;
  const axis = given < 0 ? given + rank : given;
  if (Number.isInteger(axis) && axis >= 1 && axis < rank) return axis;
  throw new OptionError({
    where,
    problem: "the axis does not exist",
    expected: `1…${rank - 1}, or negative (axis 0 is the batch)`,
    received: show(given),
  });
}

const AXES = ["length", "height, width", "depth, height, width"];

/** Batch, `rank` spatial axes, channels. */
export function checkRank(where: string, value: Node, rank: number): void {
  if (value.shape.length === rank + 2) return;
  throw new ShapeError({
    where,
    problem: "wrong number of axes",
    expected: `(batch, ${AXES[rank - 1] ?? ""}, channels)`,
    received: formatShape([null, ...value.shape.slice(1)]),
  });
}

/** At least one axis besides the batch. */
export function checkFeatures(where: string, value: Node): void {
  if (value.shape.length >= 2) return;
  const fix = "Declare the input with shape: [1].";
  throw new ShapeError({
    where,
    problem: "there are no features",
    expected: "(batch, …, features)",
    received: "(None)",
    fix,
  });
}
