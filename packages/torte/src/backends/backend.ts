/** What a backend offers: sessions that hold states and run programs over them. */
import type { Program, State } from "../graph/node.js";
import type { Tensor } from "../tensor/tensor.js";

/** A program made ready to run in its session. */
export interface Executable {
  readonly program: Program;
}

/** New contents of a state, or of as many of its elements as the value has. */
export interface Write {
  readonly state: State;
  readonly value: Tensor;
  /** The first element that is replaced. Default 0. */
  readonly from?: number;
  /** Nobody changes the value before it is written, so that it need not be copied. Default false. */
  readonly stays?: boolean;
}

export interface RunOptions {
  /** How many times the program runs, one after the other. Default 1. */
  readonly steps?: number;
  /** What is written before the first step, and travels with the request to run: one message instead of many. */
  readonly writes?: readonly Write[];
}

export interface Session {
  /** Adds states, all zero; a state that is there already is kept. */
  allocate(states: readonly State[]): Promise<void>;
  /** Drops states and the programs compiled over them. */
  release(states: readonly State[]): Promise<void>;
  /** Replaces the contents, or as many elements as the value has, from element `from` on (default 0). */
  write(state: State, value: Tensor, from?: number): Promise<void>;
  /** The same of several, in their order, at once. */
  writeAll(writes: readonly Write[]): Promise<void>;
  read(state: State): Promise<Tensor>;
  /** The first of the states that holds a NaN or an infinite number. */
  firstNotFinite(states: readonly State[]): Promise<State | undefined>;
  /** States that the program mentions must be allocated. */
  compile(program: Program): Promise<Executable>;
  /** Gives back what a program takes; it cannot run any more. */
  unload(executable: Executable): Promise<void>;
  /** Runs the program `steps` times; returns the outputs of each run, stacked: output i has shape [steps, ...shape]. */
  run(executable: Executable, options?: RunOptions): Promise<Tensor[]>;
  /** Keeps a copy of the states, in place of an earlier one of that name; for replays and for the best weights. */
  snapshot(name: string, states: readonly State[]): Promise<void>;
  /** Writes the states back as they were; the copy stays. */
  restore(name: string): Promise<void>;
  /** The value that a state has in a copy; training may go on meanwhile. */
  readCopy(name: string, state: State): Promise<Tensor>;
  /** Drops a copy. */
  forget(name: string): Promise<void>;
  close(): Promise<void>;
}

export type BackendName = "wasm" | "native" | "auto" | "reference";

export interface Backend {
  readonly name: BackendName;
  createSession(): Session;
}
