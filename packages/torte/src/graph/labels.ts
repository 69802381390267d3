/** Labels of axes, single letters as in einsum. */

/** A label for one more axis of a product with these. */
export function freeLabel(used: string): string {
  const label = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"].find((candidate) => !used.includes(candidate));
  if (label === undefined) throw new RangeError("a product has too many axes");
  return label;
}
