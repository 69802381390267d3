import { expect, it } from "vitest";
import * as ops from "../../ops/index.js";
import { Cases } from "../../testing/compare.js";
import { compileModule } from "./module.js";

it("a module writes nothing when it is loaded: helpers do so late, when the memory may be somebody else's", async () => {
  const cases = new Cases(1);
  const x = cases.float([40, 30]);
  let end = 65536;
  const reserve = (bytes: number): number => {
    const address = end;
    end += bytes;
    return address;
  };
  const addresses = new Map([...cases.data.keys()].map((state) => [state, reserve(4 * 40 * 30)]));
  const { code: bytes, constants } = compileModule(
    { name: "tanh", outputs: [ops.tanh(x)], updates: [] },
    { shared: true, threads: 2, maximumPages: 4, fma: false },
    { stateAddress: (state) => addresses.get(state) ?? 0, lowest: 65536, reserve },
  );
  expect(constants.words.length).toBeGreaterThan(3);
  const memory = new WebAssembly.Memory({ initial: 4, maximum: 4, shared: true });
  const everything = new Uint8Array(memory.buffer).fill(0xa5);
  await WebAssembly.instantiate(Uint8Array.from(bytes), { env: { memory } });
  expect(everything.every((byte) => byte === 0xa5)).toBe(true);
});
