/** A matrix of numbers along one axis, as the transforms of fast convolutions are. */
import type { Expr } from "../loops/expr.js";
import { indicesIn } from "../loops/expr.js";
import { constantIndex, type Index, linearIndex } from "../loops/index-expr.js";
import { insertAxes } from "../loops/inline.js";
import { coalesce, lanePlace, parallelNest, type Statement, strips } from "../loops/loops.js";
import type { KernelContext } from "./kernel.js";
import { linearCombinations } from "./linear-combinations.js";
import { sizeAt } from "../../tensor/shape.js";
import { inputOf } from "../../graph/node.js";

/** Vectors run along the axes after the one that is mixed; all results of a place are made from one reading of it. */
export function lowerLinearMap(kernel: KernelContext): readonly Statement[] {
  const { exprs, primary } = kernel;
  if (primary.op !== "linearMap") throw new RangeError("nothing is mixed");
  const { axis, to, matrix } = primary.attributes;
  const input = inputOf(primary, 0);
  const others = input.shape.filter((_, i) => i !== axis);
  const inputs = (at: readonly Index[]): Expr[] =>
    Array.from({ length: sizeAt(input.shape, axis) }, (_, j) =>
      kernel.inliner.read(input, insertAxes(at, [axis], [constantIndex(j)])),
    );
  const places = (at: readonly Index[]): Index[] =>
    matrix.map((_, i) => linearIndex(insertAxes(at, [to], [constantIndex(i)]), primary.shape));
  const { extents, expand } = coalesce(exprs, others, (at) => [
    ...inputs(at).flatMap(indicesIn),
    ...places(at).flatMap((linear) => [linear, ...kernel.epilogueIndices(linear)]),
  ]);
  const width = kernel.vectorWidth(extents, (at, inner) => {
    const place = expand([...at, inner]);
    return [
      ...inputs(place),
      ...places(place).flatMap((linear) => [...kernel.values(linear, kernel.placeholders()).values()]),
    ];
  });
  return parallelNest(exprs, extents.slice(0, -1), (at, parallel) =>
    strips(exprs, extents.at(-1) ?? 1, { width, wide: 1, parallel }, (strip) =>
      strip.lanes.flatMap((lane, v) => {
        const place = expand([...at, lanePlace(strip, v, lane)]);
        const mixed = linearCombinations(exprs, matrix, inputs(place));
        return places(place).flatMap((linear, i) =>
          kernel.stores(linear, lane, new Map([[primary, mixed[i] ?? exprs.number(0, "float32")]])),
        );
      }),
    ),
  );
}
