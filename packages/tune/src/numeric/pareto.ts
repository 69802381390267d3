/** Several objectives at once: which results are not beaten in everything, and an order of all. Less is better. */

/** Whether a is as good as b in all, and better in one. */
export const dominates = (a: readonly number[], b: readonly number[]): boolean =>
  a.every((value, i) => value <= (b[i] ?? NaN)) && a.some((value, i) => value < (b[i] ?? NaN));

/** Positions of the results that no other one dominates: the Pareto front. */
export const paretoFront = (results: readonly (readonly number[])[]): readonly number[] =>
  results.flatMap((result, i) => (results.some((other) => dominates(other, result)) ? [] : [i]));

/** The number of the front that each result is in, once the fronts before it are taken away. */
export function fronts(results: readonly (readonly number[])[]): readonly number[] {
  const front = new Array<number>(results.length).fill(-1);
  for (let number = 0, left = results.map((_, i) => i); left.length > 0; number++) {
    const now = paretoFront(left.map((i) => results[i] ?? [])).map((at) => left[at] ?? 0);
    for (const i of now) front[i] = number;
    left = left.filter((i) => front[i] === -1);
  }
  return front;
}

/** How far a result's neighbours on its front lie apart, the ends at infinity: crowding distance. */
function crowding(results: readonly (readonly number[])[], members: readonly number[]): ReadonlyMap<number, number> {
  const distance = new Map(members.map((i) => [i, 0]));
  for (let k = 0; k < (results[0]?.length ?? 0); k++) {
    const at = (i: number | undefined): number => results[i ?? -1]?.[k] ?? 0;
    const order = [...members].sort((a, b) => at(a) - at(b));
    const range = at(order.at(-1)) - at(order[0]) || 1;
    order.forEach((i, place) => {
      const isEnd = place === 0 || place === order.length - 1;
      const gap = isEnd ? Infinity : (at(order[place + 1]) - at(order[place - 1])) / range;
      distance.set(i, (distance.get(i) ?? 0) + gap);
    });
  }
  return distance;
}

/** Each result's place, 0 the best: by its front, then the lonely ones first. Of one objective by its value. */
export function rankByObjectives(results: readonly (readonly number[])[]): readonly number[] {
  const objectives = results[0]?.length ?? 0;
  const order = results.map((_, i) => i);
  if (objectives === 1) order.sort((a, b) => (results[a]?.[0] ?? 0) - (results[b]?.[0] ?? 0) || a - b);
  else {
    const front = fronts(results);
    const last = Math.max(-1, ...front);
    const distances = Array.from({ length: last + 1 }, (_, number) =>
      crowding(
        results,
        order.filter((i) => front[i] === number),
      ),
    );
    const distance = (i: number): number => distances[front[i] ?? 0]?.get(i) ?? 0;
    order.sort((a, b) => {
      const byFront = (front[a] ?? 0) - (front[b] ?? 0);
      if (byFront !== 0) return byFront;
      return distance(a) === distance(b) ? a - b : distance(b) - distance(a);
    });
  }
  const rank = new Array<number>(results.length).fill(0);
  order.forEach((i, place) => (rank[i] = place));
  return rank;
}

/** The volume that results dominate, up to a reference that is worse than they; of two objectives. */
export function hypervolume(
  results: readonly (readonly [number, number])[],
  [x, y]: readonly [number, number],
): number {
  const inside = results.filter(([a, b]) => a < x && b < y).sort(([a], [b]) => a - b);
  let [volume, lowest] = [0, y];
  for (const [a, b] of inside) {
    if (b >= lowest) continue;
    volume += (x - a) * (lowest - b);
    lowest = b;
  }
  return volume;
}
