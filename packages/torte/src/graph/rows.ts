/** Which rows of its data a result depends on: told by following the axis of the rows through the graph. */
import { entryOf, sameShape, type Shape, sizeAt, stridesOf } from "../tensor/shape.js";
import { type Node, type NodeOf, type Primitive, type State, topological } from "./node.js";
import { forKinds, POINTWISE } from "./primitives.js";

/** The same results traced for two numbers of rows; `data` are the states whose first axis the rows are. */
export interface TracedRows {
  readonly rows: number;
  readonly data: readonly State[];
  readonly results: readonly Node[];
}

/**
 * Where the rows lie in an array: position i of `axis` belongs to row ⌊i / inner⌋ modulo the number of rows. Undefined for
 * what has no rows, such as weights.
 */
export interface Rows {
  readonly axis: number;
  readonly inner: number;
}

/** What depends on other rows than its own, or on how many there are. */
const MIXED = "mixed";
type Place = Rows | undefined | typeof MIXED;

/**
 * Whether each row of the results follows from the same row of the data alone, whatever the number of rows. Two tracings are
 * compared, so that a number of rows that became a number in the graph, such as that of a mean, does not go unseen.
 */
export function rowsAreIndependent(one: TracedRows, other: TracedRows): boolean {
  const [a, b] = [topological(one.results), topological(other.results)];
  if (a.length !== b.length || one.results.length !== other.results.length) return false;
  const numbers = new Map(b.map((node, i) => [node, i]));
  const own = new Map(a.map((node, i) => [node, i]));
  const places: Place[] = [];
  const isData = ({ attributes: { state } }: NodeOf<"state">): boolean =>
    one.data.includes(state) || other.data.includes(state);
  for (const [i, x] of a.entries()) {
    const y = b[i];
    if (y === undefined || !alike(x, y, isData)) return false;
    const from = x.inputs.map((input) => entryOf(own, input));
    if (from.some((at, k) => numbers.get(y.inputs[k] ?? y) !== at)) return false;
    const inputs = from.map((at) => places[at]);
    const [place, again] = [x, y].map((node, k) => placeOf(node, inputs, k === 0 ? one.rows : other.rows));
    const settled = place ?? placeByShape(x.shape, y.shape, one.rows);
    if (settled === MIXED || !agree(settled, again ?? settled)) return false;
    if (!fits(settled, x.shape, y.shape, one.rows, other.rows)) return false;
    places.push(settled);
  }
  return one.results.every((node) => {
    const place = places[entryOf(own, node)];
    return place !== MIXED && place?.axis === 0 && place.inner === 1;
  });
}

/** Where the rows lie in one array, from those of `seeds`, which are along the first axis; undefined where that is not told. */
export function rowsWithin(node: Node, seeds: readonly Node[], rows: number): Rows | undefined {
  const places = new Map<Node, Place>();
  for (const next of topological([node])) {
    const inputs = next.inputs.map((input) => places.get(input));
    places.set(next, seeds.includes(next) ? { axis: 0, inner: 1 } : placeOf(next, inputs, rows));
  }
  const place = places.get(node);
  return typeof place === "object" ? place : undefined;
}

/** One operation with the same numbers; sizes are compared apart. */
function alike(x: Node, y: Node, isData: (node: NodeOf<"state">) => boolean): boolean {
  if (x.op !== y.op || x.inputs.length !== y.inputs.length || x.shape.length !== y.shape.length) return false;
  if (x.op === "state" && y.op === "state")
    return x.attributes.state === y.attributes.state || (isData(x) && isData(y));
  return attributesOf(x) === attributesOf(y);
}

const attributesOf = (node: Node): string =>
  JSON.stringify(node.attributes, (key, value: unknown) => {
    if (key === "shape" || key === "stop") return undefined;
    return typeof value === "number" ? String(value) : value;
  });

const agree = (a: Place, b: Place): boolean =>
  a === b || (typeof a === "object" && typeof b === "object" && a.axis === b.axis && a.inner === b.inner);

/** An array without inputs, or one repeated along the rows: its sizes tell where the rows are. */
function placeByShape(x: Shape, y: Shape, rows: number): Place {
  const axes = x.flatMap((n, axis) => (n === y[axis] ? [] : [axis]));
  const [axis] = axes;
  if (axis === undefined) return undefined;
  const size = x[axis] ?? 0;
  return axes.length === 1 && size % rows === 0 ? { axis, inner: size / rows } : MIXED;
}

/** Only the axis of the rows may differ in size, and by their number. */
function fits(place: Rows | undefined, x: Shape, y: Shape, one: number, other: number): boolean {
  if (place === undefined) return sameShape(x, y);
  return x.every((n, axis) => (axis === place.axis ? n * other === (y[axis] ?? 0) * one : n === y[axis]));
}

/** Follows the rows through one node; `rows` is their number. */
type Rule<P extends Primitive> = (node: NodeOf<P>, inputs: readonly Place[], rows: number) => Place;

const moved = (place: Place, to: (rows: Rows) => Place): Place => (typeof place === "object" ? to(place) : place);

/** All inputs that have rows have them in one place. */
function common(places: readonly Place[]): Place {
  const found = places.filter((place) => place !== undefined);
  const [first] = found;
  return found.every((place) => agree(place, first)) ? first : MIXED;
}

/** One number everywhere is in place wherever the rows of the others are. */
const elementwise = (node: Node, inputs: readonly Place[]): Place => {
  const others = inputs.filter((_, i) => node.inputs[i]?.op !== "constant");
  return common(others.length > 0 ? others : inputs);
};
const leaf = (): Place => undefined;

/** Stays where it is, unless the node does something along that axis. */
const besides =
  <P extends Primitive>(touches: (node: NodeOf<P>, axis: number) => boolean): Rule<P> =>
  (node, inputs) =>
    moved(common(inputs), (rows) => (touches(node, rows.axis) ? MIXED : rows));

const reduction: Rule<"sum" | "reduceMax" | "argmax"> = ({ attributes: { axes } }, [x]) =>
  moved(x, ({ axis, inner }) =>
    axes.includes(axis) ? MIXED : { axis: axis - axes.filter((other) => other < axis).length, inner },
  );

const RULES: { readonly [P in Primitive]: Rule<P> } = {
  constant: leaf,
  iota: leaf,
  state: leaf,
  uniform: leaf,
  ...forKinds(POINTWISE, elementwise),
  reshape: (node, [x], rows) =>
    moved(x, ({ axis, inner }) => {
      // Places in memory that lie this far apart belong to rows that follow each other.
      const apart = (stridesOf(node.inputs[0]?.shape ?? [])[axis] ?? 1) * inner;
      const strides = stridesOf(node.shape);
      const to = strides.findIndex(
        (stride, i) => apart % stride === 0 && (stride * sizeAt(node.shape, i)) % (apart * rows) === 0,
      );
      return to < 0 ? MIXED : { axis: to, inner: apart / sizeAt(strides, to) };
    }),
  transpose: ({ attributes: { permutation } }, [x]) =>
    moved(x, ({ axis, inner }) => ({ axis: permutation.indexOf(axis), inner })),
  broadcast: besides((node, axis) => node.shape[axis] !== node.inputs[0]?.shape[axis]),
  slice: besides((node, axis) => node.shape[axis] !== node.inputs[0]?.shape[axis]),
  pad: besides(({ attributes: { low, high, interior } }, axis) =>
    [low, high, interior].some((counts) => counts[axis] !== 0),
  ),
  reverse: besides(({ attributes: { axes } }, axis) => axes.includes(axis)),
  concat: besides(({ attributes }, axis) => attributes.axis === axis),
  windows: ({ attributes: { axis: first, size } }, [x]) =>
    moved(x, ({ axis, inner }) => {
      if (axis < first) return { axis, inner };
      return axis < first + size.length ? MIXED : { axis: axis + size.length, inner };
    }),
  fold: ({ attributes: { axis: first, size } }, [x]) =>
    moved(x, ({ axis, inner }) => {
      if (axis < first) return { axis, inner };
      return axis < first + 2 * size.length ? MIXED : { axis: axis - size.length, inner };
    }),
  sum: reduction,
  reduceMax: reduction,
  argmax: reduction,
  contract: ({ attributes: { a, b, out } }, [x, y]) => {
    const inResult =
      (labels: string) =>
      ({ axis, inner }: Rows): Place => {
        const to = out.indexOf(labels.charAt(axis));
        return to < 0 ? MIXED : { axis: to, inner };
      };
    return common([moved(x, inResult(a)), moved(y, inResult(b))]);
  },
  linearMap: ({ attributes: { axis: mixed, to } }, [x]) =>
    moved(x, ({ axis, inner }) => {
      if (axis === mixed) return MIXED;
      const among = axis - Number(axis > mixed);
      return { axis: among + Number(among >= to), inner };
    }),
  gather: (node, [table, indices]) => {
    const rank = node.inputs[1]?.shape.length ?? 0;
    const ofTable = moved(table, ({ axis, inner }) => (axis === 0 ? MIXED : { axis: rank + axis - 1, inner }));
    return common([ofTable, indices]);
  },
  scatterAdd: (node, [indices, updates]) => {
    const { batch } = node.attributes;
    const rank = node.inputs[0]?.shape.length ?? 0;
    const inTable = ({ axis, inner }: Rows): Place => {
      if (axis < batch) return { axis, inner };
      return axis < rank ? MIXED : { axis: batch + 1 + axis - rank, inner };
    };
    return common([moved(indices, inTable), moved(updates, inTable)]);
  },
};

function placeOf<P extends Primitive>(node: NodeOf<P>, inputs: readonly Place[], rows: number): Place {
  if (inputs.includes(MIXED)) return MIXED;
  const rule: Rule<P> = RULES[node.op];
  return rule(node, inputs, rows);
}
