/** The rows of a dataset, brought out. */
import type { Dataset, Tensor } from "torte";

/** Inputs and targets of a part of a table, in its order. */
export async function rowsOf(
  part: Dataset,
): Promise<{ readonly x: readonly Tensor[]; readonly targets: Float64Array }> {
  const { columns, order } = await part.plan(0);
  const [y] = columns.y;
  return {
    x: columns.x.map((tensor) => tensor.take(order)),
    targets: Float64Array.from(order, (row) => y?.data[row] ?? NaN),
  };
}
