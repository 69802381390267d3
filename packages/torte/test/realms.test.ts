/** Arrays of other realms, and of kinds that are seldom seen. */
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { dense, input, sequential, Tensor, tensor } from "torte";

const elsewhere = (code: string): never => runInNewContext(code) as never;

it.each([
  ["new Float32Array([1, 2.5])", "float32", [1, 2.5]],
  ["new Float64Array([1, 2.5])", "float32", [1, 2.5]],
  ["new Int32Array([1, -2])", "int32", [1, -2]],
  ["new Uint8Array([1, 255])", "uint8", [1, 255]],
  ["new Uint8ClampedArray([1, 255])", "uint8", [1, 255]],
  ["new Int8Array([1, -2])", "int8", [1, -2]],
  ["new Uint32Array([1, 2])", "int32", [1, 2]],
  ["new BigInt64Array([1n, -2n])", "int32", [1, -2]],
  ["new BigUint64Array([1n, 2n])", "int32", [1, 2]],
  ["[[1], [2]].flat()", "float32", [1, 2]],
])("arrays of another realm are taken by their kind: %s", async (code, dtype, values) => {
  const there = tensor(elsewhere(code));
  expect([there.dtype, [...there.data]]).toEqual([dtype, values]);
  const here = tensor(eval(code) as number[]);
  expect([here.dtype, [...here.data], here.data.constructor]).toEqual([dtype, values, there.data.constructor]);
  for (const options of [{ backend: "reference" }, { backend: "wasm" }] as const) {
    const model = sequential(input({ shape: [1] }), dense({ units: 1, kernelInitializer: "ones" }), options);
    expect([...(await model.predict(there.reshape([2, 1]))).data]).toEqual(values);
    await model.close();
  }
});

it("memory is shared where the dtype stays, in another realm, too", () => {
  const data: Float32Array = elsewhere("new Float32Array(4)");
  const [made, built] = [tensor(data), new Tensor(data, [2, 2], "float32")];
  data[1] = 7;
  expect([made.data[1], built.data[1]]).toEqual([7, 7]);
  expect(made.data).toBeInstanceOf(Float32Array);
});

it("half floats are floats, where the host has them", () => {
  if (!("Float16Array" in globalThis)) return;
  const half = new (globalThis as unknown as { Float16Array: new (values: number[]) => Float32Array }).Float16Array([
    0.5, 2,
  ]);
  expect(tensor(half)).toMatchObject({ dtype: "float32", data: Float32Array.of(0.5, 2) });
});

it("what holds no numbers, or numbers that do not fit, is refused in words", () => {
  expect(() => tensor(new DataView(new ArrayBuffer(8)) as never)).toThrow(
    "tensor: data holds something that is no number",
  );
  expect(() => tensor(BigInt64Array.of(2n ** 40n))).toThrow(
    "tensor: element 0 is no int32: expected whole numbers, received 1099511627776.",
  );
});
