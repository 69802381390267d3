/**
 * Running graphs over given tensors. Programs are kept by what they compute: a function that is traced again, or another
 * one that does the same, finds its program compiled.
 *
 * What is small runs at once on the calling thread: a message to the engine's worker and back would take longer.
 */
import type { Session } from "../backends/backend.js";
import { type BackendOptions, readBackend, selectBackend } from "../backends/select.js";
import { compileInline } from "../backends/wasm/inline.js";
import { beforeGradient } from "../compile/pipeline.js";
import { rewriteNodes } from "../compile/rewrite/rewrite.js";
import { read } from "../graph/make.js";
import { type Node, State, topological } from "../graph/node.js";
import { attributesKey } from "../graph/print.js";
import { sizeOf } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { type Stage, stagesOf } from "./stages.js";
import { workOf } from "./work.js";

type Results = Tensor[] | Promise<Tensor[]>;

interface Runnable {
  readonly run: (values: readonly Tensor[]) => Results;
  readonly dispose: () => void;
}

/** A graph made ready: what it reads, in order, and what it is recognised by. */
export interface Prepared {
  readonly outputs: readonly Node[];
  readonly states: readonly State[];
  readonly key: string;
}

export function prepare(nodes: readonly Node[]): Prepared {
  const outputs = beforeGradient(nodes);
  const numbers = new Map<Node, number>();
  const states: State[] = [];
  const lines: string[] = [];
  for (const node of topological(outputs)) {
    const { op, inputs, dtype, shape } = node;
    numbers.set(node, numbers.size);
    if (op === "state") {
      const { state } = node.attributes;
      const known = states.indexOf(state);
      lines.push(`state ${known < 0 ? states.push(state) - 1 : known} ${dtype} ${shape.join("x")}`);
    } else {
      const from = inputs.map((input) => numbers.get(input)).join(" ");
      lines.push(`${op}${attributesKey(node)} ${dtype} ${shape.join("x")} ${from}`);
    }
  }
  lines.push(outputs.map((node) => numbers.get(node)).join(" "));
  return { outputs, states, key: lines.join("\n") };
}

/** Programs that are kept; the one that was not used for the longest time goes first. */
const KEPT = 200;

const programs = new Map<string, Runnable>();
const sessions = new Map<string, Session>();

/** The outputs for the values of the states. */
export function execute(
  { outputs, states, key }: Prepared,
  values: readonly Tensor[],
  options: BackendOptions,
): Results {
  if (outputs.length === 0) return [];
  const settings = Object.values(readBackend("compile", options)).join();
  const name = `${settings}\n${key}`;
  let runnable = programs.get(name);
  if (runnable === undefined) runnable = make(outputs, states, settings, options);
  else programs.delete(name);
  programs.set(name, runnable);
  if (programs.size > KEPT) {
    const [oldest] = programs;
    if (oldest !== undefined) {
      programs.delete(oldest[0]);
      oldest[1].dispose();
    }
  }
  try {
    return runnable.run(values);
  } catch (error) {
    programs.delete(name);
    throw error;
  }
}

function make(outputs: readonly Node[], states: readonly State[], settings: string, options: BackendOptions): Runnable {
  // States of its own, so that a program that is kept keeps no tensors.
  const own = new Map(states.map((state) => [state, new State(state.name, state.shape, state.dtype)]));
  const stateOf = (state: State): State => own.get(state) ?? state;
  const nodes = rewriteNodes(outputs, (node) => (node.op === "state" ? read(stateOf(node.attributes.state)) : node));
  const places = states.map(stateOf);
  const stages = stagesOf(nodes);
  return stages === undefined
    ? oneProgram(nodes, places, settings, options)
    : inStages(stages, places, settings, options);
}

function oneProgram(
  outputs: readonly Node[],
  states: readonly State[],
  settings: string,
  options: BackendOptions,
): Runnable {
  const { backend, precision } = readBackend("compile", options);
  if (backend === "wasm" && isSmall(outputs)) {
    const run = compileInline({ name: "function", outputs, updates: [] }, states, precision);
    return { run, dispose: () => undefined };
  }
  let session = sessions.get(settings);
  if (session === undefined) sessions.set(settings, (session = selectBackend(options).createSession()));
  return inSession(session, outputs, states);
}

function inStages(
  stages: readonly Stage[],
  states: readonly State[],
  settings: string,
  options: BackendOptions,
): Runnable {
  const made = stages.map(({ outputs, results }) => {
    const reads = topological(outputs).flatMap((node) => (node.op === "state" ? [node.attributes.state] : []));
    const from = [...new Set(reads)];
    // Programs have states of their own: the same one may be read by several.
    return { from, results, program: make(outputs, from, settings, options) };
  });
  return {
    run: async (values) => {
      const known = new Map(states.map((state, i) => [state, values[i]]));
      let last: Tensor[] = [];
      for (const { from, results, program } of made) {
        last = await program.run(from.map((state) => known.get(state)).filter((value) => value !== undefined));
        results.forEach((state, i) => known.set(state, last[i]));
      }
      return last;
    },
    dispose: () => {
      for (const { program } of made) program.dispose();
    },
  };
}

function inSession(session: Session, outputs: readonly Node[], states: readonly State[]): Runnable {
  const executable = session.allocate(states).then(() => session.compile({ name: "function", outputs, updates: [] }));
  executable.catch(() => undefined);
  return {
    run: async (values) => {
      const writes = states.flatMap((state, i) => {
        const value = values[i];
        return value === undefined ? [] : [{ state, value }];
      });
      const results = await session.run(await executable, { writes });
      return results.map((result) => result.reshape(result.shape.slice(1)));
    },
    dispose: () => {
      void executable.then(() => session.release(states)).catch(() => undefined);
    },
  };
}

/** Operations, and numbers to copy in and out, that take some tenths of a millisecond. */
const SMALL = { work: 2e6, numbers: 2e5 };

function isSmall(outputs: readonly Node[]): boolean {
  const leaves = topological(outputs).filter(({ op }) => op === "state");
  const numbers = [...leaves, ...outputs].reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  return numbers <= SMALL.numbers && workOf(outputs) <= SMALL.work;
}
