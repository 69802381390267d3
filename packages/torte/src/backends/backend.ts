/** What a backend offers: sessions that hold states and run programs over them. */
import type { Program, State } from "../graph/node.js";
import type { Tensor } from "../tensor/tensor.js";

/** A program made ready to run in its session. */
export interface Executable {
  readonly program: Program;
}

export interface RunOptions {
  /** How many times the program runs, one after the other. Default 1. */
  readonly steps?: number;
}

export interface Session {
  /** Adds states, all zero; a state that is there already is kept. */
  allocate(states: readonly State[]): Promise<void>;
  /** Drops states and the programs compiled over them. */
  release(states: readonly State[]): Promise<void>;
  write(state: State, value: Tensor): Promise<void>;
  read(state: State): Promise<Tensor>;
  /** States that the program mentions must be allocated. */
  compile(program: Program): Promise<Executable>;
  /** Runs the program `steps` times; returns the outputs of each run, stacked: output i has shape [steps, ...shape]. */
  run(executable: Executable, options?: RunOptions): Promise<Tensor[]>;
  /** Copies of all states, and their restoring, for replays and for keeping the best weights. */
  snapshot(states: readonly State[]): Promise<ReadonlyMap<State, Tensor>>;
  restore(values: ReadonlyMap<State, Tensor>): Promise<void>;
  close(): Promise<void>;
}

export interface Backend {
  readonly name: "wasm" | "reference";
  createSession(): Session;
}
