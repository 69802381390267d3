import { availableParallelism } from "node:os";
import { afterEach, describe, expect, it } from "vitest";
import { cores, environment, isNode } from "./host.js";

const real = Object.getOwnPropertyDescriptors(globalThis);
const own = globalThis.process;

/** What `ask` says where the globals are these. The test runner has its own way to Node's process. */
function where<T>(globals: object, ask: () => T): T {
  for (const [name, value] of Object.entries(globals)) {
    Object.defineProperty(globalThis, name, { value: value as unknown, configurable: true, writable: true });
  }
  try {
    return ask();
  } finally {
    restore();
  }
}

function restore(): void {
  for (const name of ["process", "navigator", "Deno"] as const) {
    const before = (real as Record<string, PropertyDescriptor | undefined>)[name];
    if (before === undefined) Reflect.deleteProperty(globalThis, name);
    else Object.defineProperty(globalThis, name, before);
  }
}

afterEach(restore);

const getBuiltinModule = own.getBuiltinModule.bind(own);
const { versions } = own;
const pages: Record<string, unknown> = {
  "no process": undefined,
  "process null": null,
  "an empty process": {},
  "a process with an empty environment": { env: {} },
  "a process without an environment": { versions: {} },
  "a process that names no Node": { env: { NODE_ENV: "test" }, versions: {}, nextTick() {} },
  "null where Node has objects": { env: null, versions: null },
  "a version and nothing behind it": { env: {}, versions: { node: "20.0.0" } },
  "Electron's page": { env: {}, type: "renderer", versions, getBuiltinModule },
};

describe("the host", () => {
  it.each(Object.entries(pages))("is a page with %s", (_, process) => {
    const navigator = { hardwareConcurrency: 3 };
    const asked = where({ process, navigator }, () => [isNode(), environment("TORTE_BACKEND"), cores()]);
    expect(asked).toEqual([false, undefined, 3]);
  });

  it.each(Object.entries(pages))("has one core where nobody says more, with %s", (_, process) => {
    expect(where({ process, navigator: undefined }, cores)).toBe(1);
    expect(where({ process, navigator: { hardwareConcurrency: 0 } }, cores)).toBe(1);
  });

  it("is Node where its modules are", () => {
    expect(isNode()).toBe(true);
    expect(where({ navigator: undefined }, cores)).toBe(availableParallelism());
    expect(where({ process: { versions, getBuiltinModule, env: { TORTE_BACKEND: "x" } } }, () => [isNode(), environment("TORTE_BACKEND")])).toEqual([true, "x"]); // prettier-ignore
  });

  it("does not read an environment that Deno keeps", () => {
    const asked: unknown[] = [];
    const env = new Proxy({}, { get: (_, name) => (asked.push(name), "read") });
    const deno = (state: string) => ({ permissions: { querySync: () => ({ state }) } });
    const process = { versions, getBuiltinModule, env };
    expect(where({ process, Deno: deno("prompt") }, () => environment("TORTE_BACKEND"))).toBe(undefined);
    expect(asked).toEqual([]);
    expect(where({ process, Deno: deno("granted") }, () => environment("TORTE_BACKEND"))).toBe("read");
  });
});
