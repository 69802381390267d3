/**
 * The worker's code as text, so that it is found wherever this module is, in a bundle too. Here it is read from beside this
 * file; the build writes a module that has it in itself in place of this one (scripts/inline-worker.mjs).
 */
import { builtin } from "../../builtin.js";

export const workerCode = builtin("node:fs").readFileSync(new URL("./worker.mjs", import.meta.url), "utf8");

/** Names this code: a file at `workerUrl` has to be the same. Told apart by the build only. */
export const workerStamp: string | undefined = undefined;
