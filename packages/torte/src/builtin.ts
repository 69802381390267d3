/** Modules of Node. Apart from `host.ts`, whose declarations people see who have no types of Node. */
import type * as Processes from "node:child_process";
import type * as Crypto from "node:crypto";
import type * as Files from "node:fs";
import type * as FilePromises from "node:fs/promises";
import type * as System from "node:os";
import type * as Paths from "node:path";
import type * as Host from "node:process";
import type * as Threads from "node:worker_threads";

interface Builtins {
  "node:child_process": typeof Processes;
  "node:crypto": typeof Crypto;
  "node:fs": typeof Files;
  "node:fs/promises": typeof FilePromises;
  "node:os": typeof System;
  "node:path": typeof Paths;
  "node:process": typeof Host;
  "node:worker_threads": typeof Threads;
}

/** A module of Node, without an import, which bundlers for browsers would follow. Only where `isNode()`. */
export function builtin<Name extends keyof Builtins>(name: Name): Builtins[Name] {
  return (globalThis.process as unknown as { getBuiltinModule(name: Name): Builtins[Name] }).getBuiltinModule(name);
}
