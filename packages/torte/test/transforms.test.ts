/** Functions transformed: what each transformation gives, and what it says of bad input. */
import { describe, expect, it } from "vitest";
import {
  compile,
  grad,
  hessian,
  hvp,
  jacobian,
  jvp,
  ops,
  Tensor,
  tensor,
  valueAndGrad,
  vjp,
  vmap,
  type Node,
} from "torte";

const cubes = (x: Node): Node => ops.mul(x, ops.mul(x, x));
const sumOfCubes = (x: Node): Node => ops.sum(cubes(x));
const x = tensor([1, 2, 3]);

describe("derivatives", () => {
  it("grad gives the gradient, and nests", async () => {
    expect((await grad(sumOfCubes)(x)).toArray()).toEqual([3, 12, 27]);
    expect((await grad((v: Node) => ops.sum(grad(sumOfCubes)(v)))(x)).toArray()).toEqual([6, 12, 18]);
    const third = grad(grad(grad((v: Node) => ops.mul(v, cubes(v)))));
    expect((await third(tensor(2))).toArray()).toBe(48);
  });

  it("does not confuse one function's argument with another's", async () => {
    // d/dx x·(d/dy (x + y) at y = x) = 1
    const f = (v: Node): Node => ops.mul(v, grad((y: Node) => ops.add(v, y))(v));
    expect((await grad(f)(tensor(5))).toArray()).toBe(1);
  });

  it("of trees, of one of several arguments, of several of them, with values beside", async () => {
    const f = ({ w, b }: { w: Node; b: readonly [Node, Node] }, v: Node): Node =>
      ops.sum(ops.add(ops.mul(w, v), ops.mul(b[0], b[1])));
    const tree = { w: tensor([1, 2]), b: [tensor([3, 4]), tensor([5, 6])] as const };
    const v = tensor([10, 20]);
    const g = await grad(f)(tree, v);
    expect(g.w.toArray()).toEqual([10, 20]);
    expect(g.b.map((leaf) => leaf.toArray())).toEqual([
      [5, 6],
      [3, 4],
    ]);
    expect((await grad(f, { argument: 1 })(tree, v)).toArray()).toEqual([1, 2]);
    const [first, second] = await grad(f, { argument: [1, 0] })(tree, v);
    expect(first.toArray()).toEqual([1, 2]);
    expect(second.w.toArray()).toEqual([10, 20]);
    const withMore = (u: Node) => [ops.sum(u), { doubled: ops.mul(u, 2) }] as const;
    const [du, more] = await grad(withMore, { auxiliary: true })(v);
    expect(du.toArray()).toEqual([1, 1]);
    expect(more.doubled.toArray()).toEqual([20, 40]);
    const [[value, again]] = await valueAndGrad(withMore, { auxiliary: true })(v);
    expect([value.toArray(), again.doubled.toArray()]).toEqual([30, [20, 40]]);
  });

  it("along a direction, from the other side, twice", async () => {
    const [y, dy] = await jvp(cubes, [x], [tensor([1, 0, 2])]);
    expect([y.toArray(), dy.toArray()]).toEqual([
      [1, 8, 27],
      [3, 0, 54],
    ]);
    const product = (a: Node, b: Node): Node => ops.mul(a, b);
    const [value, pullback] = await vjp(product, x, tensor([4, 5, 6]));
    const [da, db] = await pullback(tensor([1, 0, 10]));
    expect([value, da, db].map((t) => t.toArray())).toEqual([
      [4, 10, 18],
      [4, 0, 60],
      [1, 0, 30],
    ]);
    expect((await hvp(sumOfCubes)(x, tensor([1, 0, 1]))).toArray()).toEqual([6, 0, 18]);
  });

  it("jacobian and hessian have the shape of the output, then of the input", async () => {
    const f = (v: Node): Node => ops.einsum("ij,kj->ik", v, ops.mul(v, 2));
    const v = new Tensor(
      Float32Array.from({ length: 6 }, (_, i) => i - 2),
      [2, 3],
      "float32",
    );
    const [forward, reverse] = await Promise.all(
      (["forward", "reverse"] as const).map((mode) => jacobian(f, { mode })(v)),
    );
    expect(forward?.shape).toEqual([2, 2, 2, 3]);
    expect(forward?.toArray()).toEqual(reverse?.toArray());
    const H = await hessian(f)(v);
    expect(H.shape).toEqual([2, 2, 2, 3, 2, 3]);
    const tree = await jacobian((u: { a: Node; b: Node }) => [ops.mul(u.a, u.b), ops.sum(u.a)] as const)({
      a: tensor([1, 2]),
      b: tensor([3, 4]),
    });
    expect(tree[0].a.toArray()).toEqual([
      [3, 0],
      [0, 4],
    ]);
    expect(tree[1].a.toArray()).toEqual([1, 1]);
    expect(tree[1].b.toArray()).toEqual([0, 0]);
  });
});

describe("vmap", () => {
  const dot = (a: Node, b: Node): Node => ops.einsum("i,i->", a, b);
  const A = tensor([
    [1, 2],
    [3, 4],
    [5, 6],
  ]);

  it("code for (4, 5), batched to (B, 4, 5)", async () => {
    const f = (m: Node): Node => {
      expect(m.shape).toEqual([4, 5]);
      return ops.softmax(ops.mul(m, ops.max(m, { axes: [1], keepDims: true })));
    };
    const batch = new Tensor(
      Float32Array.from({ length: 140 }, (_, i) => Math.sin(i)),
      [7, 4, 5],
      "float32",
    );
    const all = await vmap(f)(batch);
    expect(all.shape).toEqual([7, 4, 5]);
    for (let i = 0; i < 7; i++) {
      const one = await compile(f)(batch.rows(i, i + 1).reshape([4, 5]));
      expect([...all.rows(i, i + 1).data]).toEqual([...one.data]);
    }
  });

  it("takes the examples from any axis, and puts them on any", async () => {
    expect((await vmap(dot, { in: [0, null] })(A, tensor([1, 10]))).toArray()).toEqual([21, 43, 65]);
    expect((await vmap(dot, { in: [1, null] })(A, tensor([1, 10, 100]))).toArray()).toEqual([531, 642]);
    expect((await vmap(dot, { in: 0 })(A, A)).toArray()).toEqual([5, 25, 61]);
    const outer = vmap(vmap(dot, { in: [null, 0] }), { in: [0, null], out: -1 });
    expect((await outer(A, A)).toArray()).toEqual([
      [5, 11, 17],
      [11, 25, 39],
      [17, 39, 61],
    ]);
    const tree = vmap((u: { a: Node; b: Node }) => ({ sum: ops.add(u.a, u.b), fixed: ops.mul(u.b, 1) }), {
      in: [{ a: 0, b: null }],
      out: { sum: 0, fixed: null },
    });
    const { sum, fixed } = await tree({ a: A, b: tensor([1, 1]) });
    expect(sum.shape).toEqual([3, 2]);
    expect(fixed.shape).toEqual([2]);
  });
});

describe("compile", () => {
  it("traces once for each set of shapes, and reads what it takes from elsewhere anew", async () => {
    let traced = 0;
    const w = tensor([1, 2]);
    const f = compile((v: Node) => {
      traced++;
      return ops.mul(v, w);
    });
    expect((await f(tensor([3, 4]))).toArray()).toEqual([3, 8]);
    w.data[0] = 10;
    expect((await f(tensor([3, 4]))).toArray()).toEqual([30, 8]);
    expect(traced).toBe(1);
    await f(tensor([[3, 4]]));
    expect(traced).toBe(2);
  });
});

it("ops on tensors give tensors", () => {
  expect(ops.add(x, 1)).toBeInstanceOf(Tensor);
  expect(ops.add(x, x).toArray()).toEqual([2, 4, 6]);
  expect(ops.less(x, 2).dtype).toBe("bool");
  expect(ops.concat([x, x], 0).toArray()).toEqual([1, 2, 3, 1, 2, 3]);
  expect(ops.sum(tensor([1, 2], { dtype: "int32" })).dtype).toBe("int32");
  expect(ops.broadcastTo(x, [3])).not.toBe(x);
});

it("takes an argument that says nothing of its type for a node", async () => {
  const two = tensor([1, 2]);
  expect([...(await grad((a) => ops.sum(ops.square(a)))(two)).data]).toEqual([2, 4]);
  expect([...(await compile((a, b) => ops.add(a, b))(two, two)).data]).toEqual([2, 4]);
  expect([...(await vmap(grad((a) => ops.sum(ops.square(a))))(tensor([[1], [2]]))).data]).toEqual([2, 4]);
  expect([...(await hessian((a) => ops.sum(ops.square(a)))(two)).data]).toEqual([2, 0, 0, 2]);
  const [value, slope] = await jvp((a) => ops.sum(a), [two], [two]);
  expect([value.data[0], slope.data[0]]).toEqual([3, 3]);
});
