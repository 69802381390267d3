import { describe, it } from "vitest";
import { gradients } from "../../autodiff/gradient.js";
import type { Node } from "../../graph/node.js";
import * as ops from "../../ops/index.js";
import { Cases, compareBackends, stateOf } from "../../testing/compare.js";

const EXTREMES = [
  0,
  -0,
  1e-8,
  -1e-8,
  0.1,
  -0.3,
  0.5,
  1,
  -1,
  2.5,
  -3.7,
  10,
  -10,
  20,
  88,
  -87,
  100,
  -100,
  1e4,
  -1e4,
  Infinity,
  -Infinity,
  NaN,
];

const check = (name: string, build: (cases: Cases) => Node[]): void => {
  it(name, async () => {
    const cases = new Cases(7);
    await compareBackends({ name, outputs: build(cases), updates: [] }, cases.data);
  });
};

describe("elementwise", () => {
  for (const op of [
    "neg",
    "abs",
    "sign",
    "floor",
    "exp",
    "expm1",
    "log",
    "log1p",
    "sqrt",
    "tanh",
    "sigmoid",
    "softplus",
    "erf",
    "erfc",
  ] as const) {
    check(op, (c) => [ops[op](c.of(EXTREMES)), ops[op](c.float([3, 7], 3)), ops[op](ops.abs(c.float([50], 100)))]);
  }
  check("sin and cos", (c) => [ops.sin(c.float([101], 20)), ops.cos(c.float([101], 20))]);
  check("binary", (c) => {
    const [a, b] = [c.float([2, 1, 5]), c.float([3, 1])];
    return [
      ops.add(a, b),
      ops.sub(a, b),
      ops.mul(a, b),
      ops.div(a, b),
      ops.maximum(a, b),
      ops.minimum(a, b),
      ops.pow(ops.abs(a), b),
    ];
  });
  check("comparisons and select", (c) => {
    const [a, b, m] = [c.float([33]), c.float([33]), c.bool([33])];
    return [
      ops.less(a, b),
      ops.logicalNot(m),
      ops.where(ops.logicalAnd(m, ops.lessEqual(a, b)), a, 7),
      ops.cast(m, "float32"),
      ops.cast(m, "int32"),
    ];
  });
  check("integers", (c) => {
    const [a, b] = [c.int([19], 100), c.int([19], 9)];
    return [
      ops.add(a, b),
      ops.mul(a, b),
      ops.mod(a, ops.add(b, 1)),
      ops.div(a, ops.add(b, 1)),
      ops.equal(b, 3),
      ops.cast(a, "float32"),
      ops.bitXor(a, b),
    ];
  });
  check("random numbers", (c) => {
    const key = c.int([2], 1000);
    return [ops.uniform(key, 5, [3, 7]), ops.less(ops.uniform(key, 6, [64]), 0.5)];
  });
});

describe("movement", () => {
  check("reshape, transpose, reverse", (c) => {
    const x = c.float([3, 4, 5]);
    return [
      ops.transpose(x, [2, 0, 1]),
      ops.reshape(ops.transpose(x), [6, 10]),
      ops.reverse(x, [0, 2]),
      ops.add(ops.transpose(x, [0, 2, 1]), 1),
    ];
  });
  check("slice, pad, concat", (c) => {
    const [x, y] = [c.float([5, 6, 3]), c.float([5, 2, 3])];
    return [
      ops.slice(x, 1, 1, 6, 2),
      ops.pad(x, [
        [0, 0],
        [2, 1],
        [0, 0],
      ]),
      ops.pad(
        x,
        [
          [1, 0],
          [0, 0],
          [1, 3],
        ],
        -5,
      ),
      ops.concat([x, y], 1),
      ops.concat([x, x], 2),
    ];
  });
  check("windows and fold", (c) => {
    const x = c.float([2, 11, 3]);
    return [1, 2, 3].flatMap((stride) =>
      [1, 2].flatMap((dilation) => {
        const attributes = { axis: 1, size: [3], stride: [stride], dilation: [dilation] };
        const w = ops.windows(x, attributes);
        return [w, ops.fold(w, { ...attributes, lengths: [11] })];
      }),
    );
  });
  check("windows in two dimensions", (c) => {
    const attributes = { axis: 1, size: [3, 2], stride: [2, 1], dilation: [1, 2] };
    const w = ops.windows(c.float([2, 9, 8, 5]), attributes);
    return [w, ops.fold(w, { ...attributes, lengths: [9, 8] })];
  });
});

describe("reductions", () => {
  for (const shape of [[7], [3, 5], [4, 6, 8], [2, 3, 4, 5], [1, 300], [300, 1], [70, 33]]) {
    check(`all axes of ${shape.join("x")}`, (c) => {
      const x = c.float(shape);
      const outputs = [ops.sum(x), ops.max(x), ops.argmax(x), ops.mean(ops.exp(x)), ops.variance(x)];
      for (const axis of shape.keys()) {
        outputs.push(ops.sum(x, { axes: [axis] }), ops.max(x, { axes: [axis] }), ops.argmax(x, { axes: [axis] }));
      }
      return outputs;
    });
  }
  check("softmax", (c) => [
    ops.softmax(c.float([5, 7], 10)),
    ops.logSoftmax(c.float([5, 7], 10)),
    ops.softmax(c.float([5, 7], 10), 0),
  ]);
  check("where some values are not a number", (c) => {
    const x = c.of(Array.from({ length: 7 * 33 }, (_, i) => (i % 29 === 5 ? NaN : Math.sin(i))));
    const both = (axis: number, shape: number[]): Node[] => {
      const y = ops.reshape(x, shape);
      return [ops.max(y, { axes: [axis] }), ops.argmax(y, { axes: [axis] })];
    };
    return [...both(0, [7, 33]), ...both(1, [7, 33]), ...both(1, [33, 7]), ops.max(x)];
  });
  check("of windows, pooling", (c) => {
    const w = ops.windows(c.float([2, 9, 5]), { axis: 1, size: [4], stride: [2], dilation: [1] });
    return [ops.max(w, { axes: [2] }), ops.argmax(w, { axes: [2] }), ops.sum(w, { axes: [2] })];
  });
});

describe("products", () => {
  for (const [m, k, n] of [
    [1, 1, 1],
    [3, 4, 5],
    [16, 160, 256],
    [7, 9, 10],
    [6, 8, 8],
    [13, 5, 1],
    [1, 17, 9],
    [5, 1, 6],
    [2, 3, 2],
  ] as const) {
    check(`matrices ${m}x${k}x${n} in every orientation`, (c) => {
      const [a, b, at, bt] = [c.float([m, k]), c.float([k, n]), c.float([k, m]), c.float([n, k])];
      return [
        ops.einsum("ik,kj->ij", a, b),
        ops.einsum("ki,kj->ij", at, b),
        ops.einsum("ik,jk->ij", a, bt),
        ops.einsum("ik,kj->ji", a, b),
        ops.einsum("ki,jk->ij", at, bt),
      ];
    });
  }
  for (const [m, k, n] of [
    [30, 320, 20],
    [100, 600, 64],
    [25, 1030, 70],
  ] as const) {
    check(`sums of ${k} terms, taken in blocks`, (c) => [
      ops.einsum("ik,kj->ij", c.float([m, k], 0.1), c.float([k, n])),
      ops.einsum("bik,bkj->bij", c.float([3, m, k], 0.1), c.float([3, k, n])),
      ops.relu(ops.add(ops.einsum("ki,kj->ij", c.float([k, m], 0.1), c.float([k, n])), c.float([n]))),
    ]);
  }
  check("small sums of many terms, block after block", (c) => [
    ops.tanh(ops.einsum("bki,bkj->bij", c.float([9, 300, 31], 0.1), c.float([9, 300, 42]))),
    ops.einsum("bkli,bklj->bij", c.float([8, 70, 9, 24], 0.1), c.float([8, 70, 9, 36])),
  ]);
  check("convolutions by fast algorithms", (c) => {
    const [x, w] = [c.float([4, 33, 40]), c.float([5, 40, 32], 0.1)];
    const view = ops.windows(
      ops.pad(x, [
        [0, 0],
        [2, 2],
        [0, 0],
      ]),
      { axis: 1, size: [5], stride: [1], dilation: [1] },
    );
    const y = ops.einsum("bokc,kcf->bof", view, w);
    return [ops.relu(ops.add(y, c.float([32]))), ...gradients(ops.sum(ops.mul(y, c.float(y.shape, 0.1))), [x, w])];
  });
  check("batched", (c) => [
    ops.einsum("bik,bkj->bij", c.float([3, 5, 7]), c.float([3, 7, 9])),
    ops.einsum("bik,bjk->bij", c.float([3, 5, 7]), c.float([3, 9, 7])),
  ]);
  check("convolution with its gradients", (c) => {
    const [x, w, g] = [c.float([3, 11, 6]), c.float([3, 6, 10]), c.float([3, 5, 10])];
    const attributes = { axis: 1, size: [3], stride: [2], dilation: [1] };
    const view = ops.windows(x, attributes);
    const dx = ops.fold(ops.einsum("bof,kcf->bokc", g, w), { ...attributes, lengths: [11] });
    return [ops.einsum("bokc,kcf->bof", view, w), ops.einsum("bokc,bof->kcf", view, g), dx];
  });
  check("over padding, with an epilogue", (c) => {
    const [x, w, bias] = [c.float([2, 7, 6, 3]), c.float([3, 3, 3, 9]), c.float([9])];
    const view = ops.windows(
      ops.pad(x, [
        [0, 0],
        [1, 1],
        [1, 1],
        [0, 0],
      ]),
      { axis: 1, size: [3, 3], stride: [1, 1], dilation: [1, 1] },
    );
    const z = ops.add(ops.einsum("bhwijc,ijcf->bhwf", view, w), bias);
    return [ops.relu(z), ops.sum(ops.relu(z), { axes: [0, 1, 2] }), ops.add(ops.slice(x, 1, 0, 5), 1)];
  });
  check("depthwise", (c) => {
    const view = ops.windows(c.float([2, 9, 6]), { axis: 1, size: [3], stride: [1], dilation: [1] });
    return [ops.einsum("bokc,kc->boc", view, c.float([3, 6]))];
  });
});

describe("indirection", () => {
  check("gather and scatter", (c) => {
    const [table, indices, updates] = [c.float([6, 5]), c.int([3, 4], 6), c.float([3, 4, 5])];
    return [
      ops.gather(table, indices),
      ops.scatterAdd(indices, updates, 6),
      ops.gather(c.float([9]), c.int([7], 9)),
      ops.relu(ops.gather(ops.exp(table), indices)),
    ];
  });
});

it("updates states at once, step after step", async () => {
  const c = new Cases(3);
  const [a, b, w, n, x] = [c.float([5, 4]), c.float([5, 4]), c.float([4, 4]), c.int([], 3), c.float([6, 4])];
  const y = ops.einsum("ik,kj->ij", x, w);
  const gradient = ops.einsum("ki,kj->ij", x, ops.mul(y, 0.01));
  await compareBackends(
    {
      name: "updates",
      outputs: [ops.sum(y), ops.add(n, 1)],
      updates: [
        { state: stateOf(a), value: b },
        { state: stateOf(b), value: ops.add(a, ops.reverse(b, [0])) },
        { state: stateOf(w), value: ops.sub(w, gradient) },
        { state: stateOf(n), value: ops.add(n, 1) },
      ],
    },
    c.data,
    { steps: 3 },
  );
});
