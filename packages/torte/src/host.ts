/**
 * What Torte runs on: the one place that asks. Pages and bundlers put a `process` of their own in Node's place, with an
 * environment or without one, so that its presence says nothing.
 */
import { builtin } from "./builtin.js";

/** What of Node's process may be there; everything is unknown until it has been looked at. */
interface Process {
  readonly versions?: { readonly node?: unknown } | null;
  /** Electron's; "renderer" is a page, whatever else it has of Node. */
  readonly type?: unknown;
  readonly env?: Readonly<Record<string, string | undefined>> | null;
  readonly getBuiltinModule?: unknown;
  readonly stdout?: unknown;
}

/** Where lines for people go. */
export interface Output {
  /** A terminal, on which a line can be written over. */
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

interface Scope {
  readonly process?: Process | null;
  readonly Deno?: { readonly permissions?: Permissions };
  readonly navigator?: { readonly hardwareConcurrency?: number };
}

interface Permissions {
  querySync(descriptor: { name: "env"; variable: string }): { readonly state: string };
}

const scope = globalThis as Scope;

/** Whether this is Node, or Bun or Deno, which have Node's modules. */
export function isNode(): boolean {
  const host = scope.process;
  return (
    typeof host?.versions?.node === "string" && typeof host.getBuiltinModule === "function" && host.type !== "renderer"
  );
}

/** The standard output of a process; undefined in a page. */
export function standardOutput(): Output | undefined {
  return isNode() ? (scope.process as { readonly stdout: Output }).stdout : undefined;
}

/** What this is, with its version, for people. */
export function hostName(): string {
  const versions = (scope.process?.versions ?? {}) as Readonly<Record<string, unknown>>;
  for (const [name, key] of [
    ["Bun", "bun"],
    ["Deno", "deno"],
    ["Node", "node"],
  ] as const)
    if (typeof versions[key] === "string") return `${name} ${versions[key]}`;
  return "a page";
}

/** Whether libraries of this machine's code can be loaded: in Node and Bun, but Deno asks its user for each permission. */
export const canLoadLibraries = (): boolean => isNode() && scope.Deno === undefined;

/** The program that runs this, as a file. Only where `isNode()`. */
export const executable = (): string => (scope.process as { readonly execPath: string }).execPath;

/** A variable of the environment, where there is one and it may be read. */
export function environment(name: string): string | undefined {
  // Deno would ask the user whether Torte may.
  const permissions = scope.Deno?.permissions;
  if (permissions !== undefined && permissions.querySync({ name: "env", variable: name }).state !== "granted") return;
  const value: unknown = scope.process?.env?.[name];
  return typeof value === "string" ? value : undefined;
}

/** Cores that this process or page may use. */
export function cores(): number {
  const known = scope.navigator?.hardwareConcurrency ?? 0;
  if (known > 0) return known;
  return isNode() ? builtin("node:os").availableParallelism() : 1; // Node before 21 has no navigator
}
