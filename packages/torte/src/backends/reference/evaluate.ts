/** One rule per primitive, plain and slow: the oracle that everything else is tested against. */
import { DataError } from "../../errors.js";
import type { Attributes, NodeOf, Primitive, State } from "../../graph/node.js";
import { mixKey, uniformAt } from "../../tensor/random.js";
import { sizeOf, stridesOf } from "../../tensor/shape.js";
import { eachPlace, emptyValues, pick, placeOf, type Value, type Values } from "./arrays.js";
import { erf, erfc, sigmoid, softplus } from "./functions.js";

export type Evaluate<P extends Primitive> = (
  node: NodeOf<P>,
  inputs: readonly Value[],
  states: ReadonlyMap<State, Value>,
) => Values;

const input = (inputs: readonly Value[], i = 0): Value => {
  const value = inputs[i];
  if (value === undefined) throw new RangeError(`input ${i} is missing`);
  return value;
};

function elementwise(compute: (...x: number[]) => number): Evaluate<Primitive> {
  return (node, inputs) => {
    const result = emptyValues(node.dtype, sizeOf(node.shape));
    for (let i = 0; i < result.length; i++) result[i] = compute(...inputs.map(({ data }) => data[i] ?? 0));
    return result;
  };
}

function reduction(start: number, combine: (all: number, value: number) => number): Evaluate<"sum" | "reduceMax"> {
  return (node, inputs) => {
    const x = input(inputs);
    const { axes } = node.attributes;
    const result = emptyValues(node.dtype, sizeOf(node.shape)).fill(start);
    eachPlace(x.shape, (i, at) => {
      const to = placeOf(
        node.shape,
        at.filter((_, axis) => !axes.includes(axis)),
      );
      result[to] = combine(result[to] ?? 0, x.data[i] ?? 0);
    });
    return result;
  };
}

const argmax: Evaluate<"argmax"> = (node, inputs) => {
  const x = input(inputs);
  const { axes } = node.attributes;
  const best = new Float64Array(sizeOf(node.shape)).fill(-Infinity);
  const result = new Int32Array(best.length);
  const reduced = axes.map((axis) => x.shape[axis] ?? 1);
  eachPlace(x.shape, (i, at) => {
    const to = placeOf(
      node.shape,
      at.filter((_, axis) => !axes.includes(axis)),
    );
    const value = x.data[i] ?? 0;
    if (value > (best[to] ?? 0)) {
      best[to] = value;
      result[to] = placeOf(
        reduced,
        axes.map((axis) => at[axis] ?? 0),
      );
    }
  });
  return result;
};

const pad: Evaluate<"pad"> = (node, inputs) => {
  const x = input(inputs);
  const { low, interior, value } = node.attributes;
  return pick(
    node.dtype,
    node.shape,
    x,
    (at) => {
      const inner = at.map((c, axis) => (c - (low[axis] ?? 0)) / ((interior[axis] ?? 0) + 1));
      return inner.every((c, axis) => Number.isInteger(c) && c >= 0 && c < (x.shape[axis] ?? 0)) ? inner : undefined;
    },
    value,
  );
};

const concat: Evaluate<"concat"> = (node, inputs) => {
  const { axis } = node.attributes;
  const result = emptyValues(node.dtype, sizeOf(node.shape));
  let start = 0;
  for (const part of inputs) {
    eachPlace(part.shape, (i, at) => {
      const to = at.map((c, a) => (a === axis ? c + start : c));
      result[placeOf(node.shape, to)] = part.data[i] ?? 0;
    });
    start += part.shape[axis] ?? 0;
  }
  return result;
};

/** Where in the unwindowed array the tap of a window lies. */
function tapPlace(attributes: Attributes["windows"], at: readonly number[]): number[] {
  const { axis, size, stride, dilation } = attributes;
  const n = size.length;
  const inner = size.map(
    (_, i) => (at[axis + i] ?? 0) * (stride[i] ?? 1) + (at[axis + n + i] ?? 0) * (dilation[i] ?? 1),
  );
  return [...at.slice(0, axis), ...inner, ...at.slice(axis + 2 * n)];
}

const fold: Evaluate<"fold"> = (node, inputs) => {
  const x = input(inputs);
  const result = emptyValues(node.dtype, sizeOf(node.shape));
  eachPlace(x.shape, (i, at) => {
    const to = placeOf(node.shape, tapPlace(node.attributes, at));
    result[to] = (result[to] ?? 0) + (x.data[i] ?? 0);
  });
  return result;
};

const contract: Evaluate<"contract"> = (node, inputs) => {
  const { a, b, out } = node.attributes;
  const [x, y] = [input(inputs, 0), input(inputs, 1)];
  const summed = [...a].filter((label) => !out.includes(label));
  const labels = [...out, ...summed];
  const sizes = labels.map((label) => (a.includes(label) ? x.shape[a.indexOf(label)] : y.shape[b.indexOf(label)]) ?? 1);
  const steps = (operand: Value, own: string): number[] => {
    const strides = stridesOf(operand.shape);
    return labels.map((label) => (own.includes(label) ? (strides[own.indexOf(label)] ?? 0) : 0));
  };
  const [stepsX, stepsY] = [steps(x, a), steps(y, b)];
  const result = new Float64Array(sizeOf(node.shape));
  const inner = sizeOf(sizes.slice(out.length));
  eachPlace(sizes, (i, at) => {
    let [p, q] = [0, 0];
    at.forEach((c, k) => {
      p += c * (stepsX[k] ?? 0);
      q += c * (stepsY[k] ?? 0);
    });
    const to = Math.floor(i / inner);
    result[to] = (result[to] ?? 0) + (x.data[p] ?? 0) * (y.data[q] ?? 0);
  });
  return result;
};

const linearMap: Evaluate<"linearMap"> = (node, inputs) => {
  const x = input(inputs);
  const { axis, to, matrix } = node.attributes;
  const result = new Float64Array(sizeOf(node.shape));
  eachPlace(x.shape, (i, at) => {
    const others = at.filter((_, k) => k !== axis);
    for (const [row, factors] of matrix.entries()) {
      const place = placeOf(node.shape, [...others.slice(0, to), row, ...others.slice(to)]);
      result[place] = (result[place] ?? 0) + (factors[at[axis] ?? 0] ?? 0) * (x.data[i] ?? 0);
    }
  });
  return result;
};

/** As a guard of models: elsewhere, indices are the caller's to keep. */
function checkIndices({ op, origin }: NodeOf<Primitive>, indices: Values, rows: number): void {
  const bad = indices.findIndex((index) => index < 0 || index >= rows);
  if (bad < 0) return;
  throw new DataError({
    where: origin === "" ? op : origin,
    problem: "an index is out of range",
    expected: `0…${rows - 1}`,
    received: `${indices[bad] ?? NaN} at place ${bad}`,
  });
}

const gather: Evaluate<"gather"> = (node, inputs) => {
  const [table, indices] = [input(inputs, 0), input(inputs, 1)];
  const row = sizeOf(table.shape.slice(1));
  const result = emptyValues(node.dtype, sizeOf(node.shape));
  checkIndices(node, indices.data, table.shape[0] ?? 0);
  indices.data.forEach((index, i) => result.set(table.data.subarray(index * row, (index + 1) * row), i * row));
  return result;
};

const scatterAdd: Evaluate<"scatterAdd"> = (node, inputs) => {
  const [indices, updates] = [input(inputs, 0), input(inputs, 1)];
  const { rows, batch } = node.attributes;
  const row = sizeOf(node.shape.slice(batch + 1));
  const perTable = sizeOf(indices.shape.slice(batch));
  const result = new Float64Array(sizeOf(node.shape));
  checkIndices(node, indices.data, rows);
  indices.data.forEach((index, i) => {
    const start = (Math.floor(i / perTable) * rows + index) * row;
    for (let k = 0; k < row; k++) result[start + k] = (result[start + k] ?? 0) + (updates.data[i * row + k] ?? 0);
  });
  return result;
};

const EVALUATE: { readonly [P in Primitive]: Evaluate<P> } = {
  constant: (node) =>
    emptyValues(node.dtype, sizeOf(node.shape)).fill(
      node.dtype === "bool" ? Number(node.attributes.value !== 0) : node.attributes.value,
    ),
  iota: (node) => {
    const result = new Int32Array(sizeOf(node.shape));
    eachPlace(node.shape, (i, at) => (result[i] = at[node.attributes.axis] ?? 0));
    return result;
  },
  state: (node, _inputs, states) => {
    const value = states.get(node.attributes.state);
    if (value === undefined) throw new RangeError(`state ${node.attributes.state.name} is not allocated`);
    return value.data;
  },
  uniform: (node, inputs) => {
    const [seed = 0, step = 0] = input(inputs).data;
    const key = mixKey(seed, node.attributes.stream, step);
    return new Float64Array(sizeOf(node.shape)).map((_, i) => uniformAt(key, i));
  },
  neg: elementwise((x = 0) => -x),
  abs: elementwise((x = 0) => Math.abs(x)),
  sign: elementwise((x = 0) => Math.sign(x)),
  floor: elementwise((x = 0) => Math.floor(x)),
  exp: elementwise((x = 0) => Math.exp(x)),
  expm1: elementwise((x = 0) => Math.expm1(x)),
  log: elementwise((x = 0) => Math.log(x)),
  log1p: elementwise((x = 0) => Math.log1p(x)),
  sqrt: elementwise((x = 0) => Math.sqrt(x)),
  tanh: elementwise((x = 0) => Math.tanh(x)),
  sigmoid: elementwise((x = 0) => sigmoid(x)),
  softplus: elementwise((x = 0) => softplus(x)),
  erf: elementwise((x = 0) => erf(x)),
  erfc: elementwise((x = 0) => erfc(x)),
  sin: elementwise((x = 0) => Math.sin(x)),
  cos: elementwise((x = 0) => Math.cos(x)),
  not: elementwise((x = 0) => Number(x === 0)),
  cast: (node, inputs) => {
    const x = input(inputs);
    const result = emptyValues(node.dtype, x.data.length);
    for (let i = 0; i < result.length; i++)
      result[i] = node.dtype === "bool" ? Number(x.data[i] !== 0) : (x.data[i] ?? 0);
    return result;
  },
  stopGradient: (_node, inputs) => input(inputs).data,
  copy: (_node, inputs) => input(inputs).data,
  add: elementwise((a = 0, b = 0) => a + b),
  sub: elementwise((a = 0, b = 0) => a - b),
  mul: (node, inputs) =>
    elementwise(node.dtype === "int32" ? (a = 0, b = 0) => Math.imul(a, b) : (a = 0, b = 0) => a * b)(
      node,
      inputs,
      new Map(),
    ),
  div: (node, inputs) =>
    elementwise(node.dtype === "int32" ? (a = 0, b = 0) => (b === 0 ? 0 : Math.trunc(a / b)) : (a = 0, b = 0) => a / b)(
      node,
      inputs,
      new Map(),
    ),
  pow: elementwise((a = 0, b = 0) => a ** b),
  max: elementwise((a = 0, b = 0) => Math.max(a, b)),
  min: elementwise((a = 0, b = 0) => Math.min(a, b)),
  mod: elementwise((a = 0, b = 0) => (b === 0 ? 0 : a % b)),
  bitXor: elementwise((a = 0, b = 0) => a ^ b),
  shiftRight: elementwise((a = 0, b = 0) => a >> b),
  less: elementwise((a = 0, b = 0) => Number(a < b)),
  lessEqual: elementwise((a = 0, b = 0) => Number(a <= b)),
  equal: elementwise((a = 0, b = 0) => Number(a === b)),
  and: elementwise((a = 0, b = 0) => a & b),
  or: elementwise((a = 0, b = 0) => a | b),
  select: elementwise((c = 0, a = 0, b = 0) => (c !== 0 ? a : b)),
  reshape: (_node, inputs) => input(inputs).data,
  transpose: (node, inputs) => {
    const { permutation } = node.attributes;
    return pick(node.dtype, node.shape, input(inputs), (at) =>
      permutation.map((_, axis) => at[permutation.indexOf(axis)] ?? 0),
    );
  },
  broadcast: (node, inputs) => {
    const x = input(inputs);
    return pick(node.dtype, node.shape, x, (at) => at.map((c, axis) => (x.shape[axis] === 1 ? 0 : c)));
  },
  slice: (node, inputs) => {
    const { start, step } = node.attributes;
    return pick(node.dtype, node.shape, input(inputs), (at) =>
      at.map((c, axis) => (start[axis] ?? 0) + c * (step[axis] ?? 1)),
    );
  },
  pad,
  reverse: (node, inputs) => {
    const { axes } = node.attributes;
    return pick(node.dtype, node.shape, input(inputs), (at) =>
      at.map((c, axis) => (axes.includes(axis) ? (node.shape[axis] ?? 1) - 1 - c : c)),
    );
  },
  concat,
  windows: (node, inputs) => pick(node.dtype, node.shape, input(inputs), (at) => tapPlace(node.attributes, at)),
  fold,
  sum: (node, inputs, states) => reduction(0, (a, b) => a + b)(node, inputs, states),
  reduceMax: (node, inputs, states) =>
    reduction(node.dtype === "int32" ? -(2 ** 31) : -Infinity, (a, b) => Math.max(a, b))(node, inputs, states),
  argmax,
  contract,
  linearMap,
  gather,
  scatterAdd,
};

export function evaluateNode<P extends Primitive>(
  node: NodeOf<P>,
  inputs: readonly Value[],
  states: ReadonlyMap<State, Value>,
): Values {
  const evaluate: Evaluate<P> = EVALUATE[node.op];
  return evaluate(node, inputs, states);
}
