/** What a result is measured against. */
import type { Dataset } from "torte";

/** The accuracy of answering every question with the training set's most frequent class; undefined without classes. */
export async function majorityBaseline(
  train: Dataset,
  test: Dataset,
): Promise<{ label: number; accuracy: number } | undefined> {
  const [known, asked] = [await labelsOf(train), await labelsOf(test)];
  if (known === undefined || asked === undefined) return undefined;
  const counts = new Map<number, number>();
  for (const label of known) counts.set(label, (counts.get(label) ?? 0) + 1);
  const [label = 0] = [...counts].sort((a, b) => b[1] - a[1])[0] ?? [];
  return { label, accuracy: asked.filter((other) => other === label).length / asked.length };
}

/** One whole number for each row, or nothing where the targets are something else. */
async function labelsOf(data: Dataset): Promise<readonly number[] | undefined> {
  const { columns, order } = await data.plan(0);
  const [target] = columns.y;
  if (target === undefined || target.data.length !== target.shape[0]) return undefined;
  const labels = Array.from(order, (row) => target.data[row] ?? NaN);
  return labels.every(Number.isInteger) ? labels : undefined;
}
