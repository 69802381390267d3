/** Places in a drawing of a graph: each node in a layer behind all that it comes from, and in a lane (Sugiyama et al. 1981). */

export interface Place {
  readonly layer: number;
  readonly lane: number;
}

export interface Layout {
  readonly places: readonly Place[];
  readonly layers: number;
  readonly lanes: number;
  /** For each edge, the places that it passes between its ends. */
  readonly routes: ReadonlyMap<string, readonly Place[]>;
}

export const edgeKey = (from: number, to: number): string => `${from}-${to}`;

/**
 * `from[i]` are the nodes that node i comes from, all of them before it. Edges over several layers keep a lane free on their
 * way, if `reserve` says so.
 */
export function layered(from: readonly (readonly number[])[], reserve: boolean): Layout {
  const layer: number[] = [];
  from.forEach((sources, i) => (layer[i] = Math.max(-1, ...sources.map((source) => layer[source] ?? 0)) + 1));
  const count = Math.max(0, ...layer) + 1;
  const rows: Item[][] = Array.from({ length: count }, () => []);
  const items = from.map((_, i): Item => ({ node: i, above: [], lane: 0 }));
  items.forEach((item, i) => rows[layer[i] ?? 0]?.push(item));
  const passing = new Map<string, Item[]>();
  from.forEach((sources, i) => {
    for (const source of new Set(sources)) {
      let above = items[source];
      const way: Item[] = [];
      for (let at = (layer[source] ?? 0) + 1; reserve && at < (layer[i] ?? 0); at++) {
        const item: Item = { node: -1, above: above === undefined ? [] : [above], lane: 0 };
        rows[at]?.push(item);
        way.push(item);
        above = item;
      }
      passing.set(edgeKey(source, i), way);
      if (above !== undefined) items[i]?.above.push(above);
    }
  });
  for (const row of rows) placeRow(row);
  const lanes = Math.max(1, ...rows.flatMap((row) => row.map(({ lane }) => lane + 1)));
  const placeOf = new Map<Item, Place>(
    rows.flatMap((row, at) => row.map((item) => [item, { layer: at, lane: item.lane }])),
  );
  const find = (item: Item): Place => placeOf.get(item) ?? { layer: 0, lane: 0 };
  return {
    places: items.map(find),
    layers: count,
    lanes,
    routes: new Map([...passing].map(([key, way]) => [key, way.map(find)])),
  };
}

interface Item {
  /** −1 for a place that an edge passes. */
  readonly node: number;
  readonly above: Item[];
  lane: number;
}

/** In the order of the middles of what they come from; nodes keep the first lanes where they can. */
function placeRow(row: Item[]): void {
  const middle = ({ above }: Item): number =>
    above.length === 0 ? 0 : above.reduce((sum, { lane }) => sum + lane, 0) / above.length;
  const wish = row.map((item, i) => ({ item, at: middle(item), pass: Number(item.node < 0), i }));
  // Where two want one lane, the node has it, and what passes goes around it.
  wish.sort((a, b) => a.at - b.at || a.pass - b.pass || a.i - b.i);
  let next = 0;
  for (const { item, at } of wish) {
    item.lane = Math.max(next, Math.floor(at));
    next = item.lane + 1;
  }
}
