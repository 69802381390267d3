/** What transformations say of bad input: where, what was expected, what came, and what to do. */
import { describe, expect, it } from "vitest";
import {
  compile,
  conv1d,
  dense,
  dropout,
  embedding,
  grad,
  hessian,
  hvp,
  input,
  jacobian,
  jvp,
  ops,
  sequential,
  tensor,
  type Tensor,
  valueAndGrad,
  vjp,
  vmap,
  type Node,
} from "torte";

const x = tensor([1, 2, 3]);
const ints = tensor([1, 2, 3], { dtype: "int32" });
const matrix = tensor([
  [1, 2, 3],
  [4, 5, 6],
]);
const total = (v: Node): Node => ops.sum(v);
const same = (v: Node): Node => v;
/** As from JavaScript, where nobody checks types. */
const any = (value: unknown): never => value as never;

let leaked: Node | undefined;

/** Keeps its argument beyond its end. */
const leaking = (v: Node): Node => {
  leaked = ops.mul(v, 2);
  return ops.sum(v);
};

const CASES: readonly (readonly [title: string, run: () => unknown, message: string | RegExp])[] = [
  [
    "the gradient of what is no scalar",
    () => grad(same)(x),
    "grad: only a scalar has a gradient: expected float32(), received float32(3,). Take the sum or the mean first, or use jacobian.",
  ],
  [
    "the gradient of an integer",
    () => grad((v: Node) => ops.argmax(v))(x),
    "grad: only a scalar has a gradient: expected float32(), received int32(). Give a float32 number; ops.cast makes one, through which no derivative passes.",
  ],
  [
    "a list without auxiliary",
    () => grad(any((v: Node) => [ops.sum(v), v]))(any(x)),
    "grad: only a scalar has a gradient: expected float32(), received a list of 2. Return the number alone, or [number, others] with auxiliary: true.",
  ],
  [
    "auxiliary without a list",
    () => grad(any(total), { auxiliary: true })(any(x)),
    "grad: the function gives nothing beside its value: expected [scalar, others], as the option auxiliary says, received float32().",
  ],
  [
    "an integer argument",
    () => grad(any((v: Node) => ops.sum(ops.cast(v, "float32"))))(any(ints)),
    "grad: argument [0] has no derivative: expected float32, received int32(3,). Differentiate by another argument (option argument), or by what an embedding makes of it.",
  ],
  [
    "an argument that is not there",
    () => grad(any(total), { argument: 1 })(any(x)),
    "grad: argument is out of range: expected 0…0, received 1.",
  ],
  [
    "an argument that is none",
    () => grad(total, { argument: any(-1) }),
    "grad: argument is out of range: expected a whole number of at least 0, or a list of different ones, received -1.",
  ],
  [
    "an argument without tensors",
    () => grad(any((_: unknown, v: Node) => ops.sum(v)))(any(3), any(x)),
    "grad: argument (0,) has nothing to differentiate by: expected a float32 tensor, or a tree of them, received 3.",
  ],
  ["no function", () => grad(any(3)), "grad: there is no function: expected a function of nodes, received 3."],
  [
    "an unknown option",
    () => vmap(same, any({ axis: 1 })),
    'vmap: unknown option "axis": expected one of in, out, randomness.',
  ],
  [
    "a promise",
    () => grad(any((v: Node) => Promise.resolve(ops.sum(v))))(any(x)),
    "grad(a function): what the function gives is a promise: expected a node, or a tree of nodes, received a promise. Write the function without async and await: it is traced, not run. What has to be awaited comes in as an argument.",
  ],
  [
    "a transformed function called with tensors and awaited inside",
    () => vmap(any(async (v: Node) => ops.mul(v, (await grad(total)(x)).data[0] ?? 0)))(any(x)),
    /^vmap\(a function\): what the function gives is a promise/,
  ],
  [
    "nothing",
    () => vmap(any(() => undefined))(any(x)),
    "vmap(a function): what the function gives is no node: expected a node, or a tree of nodes, received undefined. Compute with ops, and return what they give.",
  ],
  [
    "a text within a tree",
    () => compile(any((v: Node) => ({ a: [v, "text"] })))(any(x)),
    'compile(a function): result.a[1] is no node: expected a node, or a tree of nodes, received "text". Compute with ops, and return what they give.',
  ],
  [
    "an axis out of range",
    () => vmap(same, { in: 1 })(x),
    "vmap: axis 1 of argument [0] does not exist: expected -1…0, received 1 for (3,).",
  ],
  [
    "an axis of a scalar",
    () => vmap((a: Node, b: Node) => ops.mul(a, b))(x, tensor(1)),
    "vmap: axis 0 of argument [1] does not exist: expected null, as it has no axes, received 0 for (). Write null in the option in for what is the same for all examples.",
  ],
  [
    "an axis of the result out of range",
    () => vmap(same, { out: 1 })(x),
    "vmap: axis 1 of the result does not exist: expected -1…0, received 1 for (3,).",
  ],
  [
    "unequal numbers of examples",
    () => vmap((a: Node, b: { c: Node }) => ops.mul(a, b.c))(x, { c: tensor([1, 2]) }),
    "vmap: the arguments have different numbers of examples: expected 3 as in argument [0], received 2 in argument [1].c. Write null in the option in for what is the same for all examples.",
  ],
  [
    "no axes at all",
    () => vmap(same, { in: null })(x),
    "vmap: nothing differs from example to example: expected an axis for at least one tensor among the arguments, received in: null.",
  ],
  [
    "axes for other arguments",
    () => vmap(same, { in: [0, 0] })(x),
    "vmap: in does not fit: expected 1 axis, one for each argument, received [0, 0].",
  ],
  [
    "axes of another tree",
    () => vmap((a: { b: Node }) => a.b, { in: [{ c: 0 }] })({ b: x }),
    "vmap: in does not fit: expected an axis, or null, for [0].b, received [{ c: 0 }].",
  ],
  [
    "axes that are none",
    () => vmap(same, { in: any("rows") })(x),
    'vmap: in has the wrong form: expected axes (whole numbers), null, or trees of them, received ["rows"].',
  ],
  [
    "a result that is not the same for all",
    () => vmap(same, { out: null })(x),
    "vmap: the result differs from example to example: expected an axis for it in the option out, received null.",
  ],
  [
    "random numbers within vmap",
    () =>
      vmap((v: Node, w: Record<string, Node>) => noisy.pure()(w, ops.expandDims(v, 0), { training: true }), {
        in: [0, null],
      })(matrix, {}),
    'vmap: random numbers are drawn within the function, by dropout: expected the option randomness: "different" for numbers of its own for each example, "same" for the same ones, received randomness: "error", the default.',
  ],
  [
    "tangents of another shape",
    () => jvp(same, [x], [tensor([1])]),
    "jvp: the tangent does not fit: expected float32(3,), received float32(1,).",
  ],
  [
    "arguments that are no list",
    () => jvp(same, any(x), any(x)),
    "jvp: the arguments are no list: expected a list of the function's arguments, and one of their tangents, received a Tensor. Write jvp(f, [x], [v]).",
  ],
  [
    "a factor of another shape",
    async () => (await vjp(same, x))[1](tensor([1])),
    "vjp: the factor of the pullback does not fit: expected float32(3,), received float32(1,).",
  ],
  [
    "a vector of another shape",
    () => hvp(total)(x, tensor([[1]])),
    "hvp: the vector does not fit: expected float32(3,), received float32(1, 1).",
  ],
  [
    "the Jacobian of integers",
    () => jacobian((v: Node) => ({ at: ops.argmax(v) }))(x),
    "jacobian: result.at has no derivative: expected float32, received int32().",
  ],
  [
    "the Hessian by integers",
    () => hessian(any((v: Node) => ops.cast(v, "float32")))(any(ints)),
    /argument \[0\] has no derivative/,
  ],
  [
    "a decision",
    () => grad((v: Node) => (any(ops.sum(v)) > 0 ? ops.sum(v) : ops.neg(ops.sum(v))))(x),
    /^a node: a node has no value while its function is traced, so that nothing can be decided by it or computed with it but ops: received float32\(\), made by sum of argument \[0\] of grad\(.*\), called at transforms-errors\.test\.ts:\d+:\d+\. Choose by ops\.where\(condition, a, b\)/,
  ],
  ["arithmetic of the language", () => grad((v: Node) => ops.sum(any((v as unknown as number) + 1)))(x), /ops\.add/],
  [
    "reading numbers",
    () => grad((v: Node) => ops.mul(ops.sum(v), (v as unknown as { data: number[] }).data[0] ?? 0))(x),
    /^\.data: a node has no numbers while its function is traced: received float32\(3,\), argument \[0\] of grad.*called at transforms-errors/,
  ],
  ["reading an element", () => grad((v: Node) => ops.sum(any(v)[0]))(x), /^\[0\]: a node has no numbers/],
  [
    "a change in place",
    () =>
      grad((v: Node) => {
        (v as unknown as number[])[0] = 3;
        return ops.sum(v);
      })(x),
    /^\.0 =: a node cannot be changed: received float32\(3,\).*Make a new one: ops\.where, ops\.concat/,
  ],
  [
    "a node kept beyond its function",
    async () => {
      await grad(leaking)(x);
      return grad((v: Node) => ops.sum(ops.mul(v, leaked ?? v)))(x);
    },
    /^grad\(a function\): a node is used after its function has returned: it was made from argument \[0\] of grad\(leaking\), called at transforms-errors\.test\.ts:\d+:\d+\. Return it from that function, or give it to this one as an argument\.$/,
  ],
  [
    "a node kept beyond its function, returned",
    async () => {
      await grad(leaking)(x);
      return vmap((v: Node) => leaked ?? v)(x);
    },
    /is used after its function has returned/,
  ],
  [
    "a node kept beyond its function, outside of any",
    async () => {
      await grad(leaking)(x);
      return ops.mul(leaked ?? x, x);
    },
    /^mul: a node is used after its function has returned: it was made from argument \[0\] of grad\(leaking\), called at/,
  ],
  [
    "what was made of a node kept beyond its function, and a number",
    async () => {
      let kept: Node | undefined;
      await grad((v: Node) => ops.sum((kept = ops.square(v))))(x);
      return ops.add(kept ?? x, 1);
    },
    /^add: a node is used after its function has returned/,
  ],
  [
    "what is no tree",
    () => compile(same)(any(new Map())),
    "compile: argument[0] has the wrong type: expected tensors, arrays and plain objects of them, numbers, texts, true or false, received a Map.",
  ],
  [
    "an option of compile",
    () => compile(same, { threads: 0 }),
    "compile: threads is out of range: expected a whole number of at least 1, received 0.",
  ],
  ["operands that do not fit", () => ops.add(x, tensor([1, 2])), /broadcast: shapes do not fit each other/],
];

const noisy = sequential(input({ shape: [3] }), dropout({ rate: 0.5 }));

it.each(CASES)("%s", async (_, run, message) => {
  await expect(Promise.resolve().then(run)).rejects.toThrow(message);
  // Nothing of a function that failed is left behind.
  expect((await grad(total)(x)).toArray()).toEqual([1, 1, 1]);
});

describe("calls without end", () => {
  it("of transformations", async () => {
    let f = (v: Node): Node => ops.sum(v);
    for (let i = 0; i < 10_000; i++) {
      const inner = f;
      f = (v) => vmap(inner, { out: null, in: null })(v);
    }
    const g = (v: Node): Node => grad(g)(v);
    await expect(grad(g)(x)).rejects.toThrow(
      "grad: more than 100 transformations are called within each other. Does a transformed function call itself?",
    );
    let h: (v: Node) => Node = (v) => ops.mul(v, v);
    for (let i = 0; i < 10_000; i++) h = grad(h);
    await expect(grad(h)(tensor(1))).rejects.toThrow(
      "grad: more than 100 transformations are called within each other",
    );
  });

  it("of functions", async () => {
    const deep = (v: Node, n: number): Node => (n === 0 ? v : deep(ops.add(v, 1), n - 1));
    const refused = "calls are nested too deeply: expected some thousand at most. Write the recursion as a loop.";
    await expect(vmap((v: Node) => deep(v, 1e6))(x)).rejects.toThrow(`vmap: ${refused}`);
    // 10,000 calls fit the stack of some hosts, and of others not: they run, or are refused in words.
    const result = await compile((v: Node) => deep(v, 10_000))(x).catch((error: unknown) => error);
    if (result instanceof Error) expect(result.message).toBe(`compile: ${refused}`);
    else expect((result as Tensor).toArray()).toEqual([10_001, 10_002, 10_003]);
  });

  it("a loop of 10,000 operations is computed, in stages, and its derivative", async () => {
    const long =
      (turns: number, factor: number) =>
      (v: Node): Node => {
        let y = v;
        for (let i = 0; i < turns; i++) y = ops.mul(y, factor);
        return ops.sum(y);
      };
    const factor = 1 - 2 ** -13;
    const expected = Math.exp(10_000 * Math.log(factor));
    const value = await compile(long(10_000, factor))(x);
    expect(value.toArray() / (6 * expected)).toBeCloseTo(1, 3);
    const [, g] = await valueAndGrad(long(10_000, factor))(x);
    for (const slope of g.toArray()) expect(slope / expected).toBeCloseTo(1, 3);
  });
});

describe("model.pure", () => {
  const model = sequential(input({ shape: [4, 2] }), conv1d({ filters: 3, kernelSize: 2 }), dense({ units: 1 }));
  const apply = model.pure();
  const batch = ops.reshape(ops.broadcastTo(tensor(1), [16]), [2, 4, 2]);

  it("says which weight or input does not fit", async () => {
    const weights = await model.getWeights();
    const rest = { ...weights };
    delete (rest as Partial<typeof rest>)["dense.bias"];
    const cases: [() => unknown, string][] = [
      [
        () => apply(rest, batch),
        "model.pure, dense.bias: the weight is missing: expected float32(1,), received undefined. Take all weights from model.getWeights().",
      ],
      [() => apply({ ...weights, more: x }, batch), 'model.pure: the model has no weight "more"'],
      [
        () => apply({ ...weights, "dense.bias": x }, batch),
        "model.pure, dense.bias: the weight does not fit: expected float32(1,), received float32(3,). Take all weights from model.getWeights().",
      ],
      [
        () => vmap((v: Node) => apply(any(weights), v))(batch),
        "model.pure: the input does not fit: expected float32(None, 4, 2), received float32(4, 2). The function takes a batch: write ops.expandDims(x, 0) for one example.",
      ],
      [() => apply(weights, any([batch, batch])), /input/ as unknown as string],
      [
        () => apply(weights, batch, any({ train: true })),
        'model.pure: unknown option "train": expected one of training, seed.',
      ],
    ];
    for (const [run, message] of cases) await expect(Promise.resolve().then(run)).rejects.toThrow(message);
  });

  it("looks at tokens, as predict does", async () => {
    const tokens = sequential(input({ shape: [3], dtype: "int32" }), embedding({ inputDim: 4, outputDim: 2 }));
    const lookUp = tokens.pure();
    await expect(
      (async () => lookUp(await tokens.getWeights(), tensor([[0, 1, 4]], { dtype: "int32" })))(),
    ).rejects.toThrow(/4/);
  });
});
