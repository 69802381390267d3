/** What an optimizer keeps from update to update, as states with names: all that a checkpoint needs of it. */
import { State } from "../graph/node.js";
import type { Optimizer, Slots } from "../optim/optimizer.js";
import type { TrainedWeight } from "./trained.js";

/** Updates whose rates are sent at a time, where there is a schedule. */
export const RATES = 4096;

/** Gradients that wait for the rest of their window. */
export interface WindowStates {
  /** Batches in the window so far. */
  readonly filled: State;
  /** What the sums of each term are divided by, then the number of batches in which anything counted. */
  readonly denominators: State;
  /** For each weight the summed gradients of each term. */
  readonly sums: ReadonlyMap<State, readonly State[]>;
  /** The cursor after the last batch of the epoch, where the window ends. */
  readonly epochEnd: State;
}

/** Of a weight that is shown as something else when the model does not train. */
export interface HiddenStates {
  /** The weight that training goes on with. */
  readonly raw: State;
  /** What was shown: where the weight is something else later on, it has been set from outside. */
  readonly seen: State;
}

export interface OptimizerStates {
  /** What is remembered of each weight. */
  readonly slots: ReadonlyMap<State, Readonly<Record<string, State>>>;
  /** Exponential moving averages of weights and moving statistics. */
  readonly averages: ReadonlyMap<State, State>;
  readonly hidden: ReadonlyMap<State, HiddenStates>;
  /** The rate, or what a schedule's rate is multiplied with. */
  readonly learningRate: State;
  /** Rates of the updates from number `first` on, where there is a schedule; sent with each run. */
  readonly rates: { readonly values: State; readonly first: State } | undefined;
  /** Number of updates, int32: float32 would stop counting at 2²⁴. */
  readonly step: State;
  readonly window: WindowStates | undefined;
}

/** `changing` are the weights and moving statistics; `terms` is the number of sums that a loss is made of. */
export function optimizerStates(
  optimizer: Optimizer,
  changing: readonly TrainedWeight[],
  terms: number,
): OptimizerStates {
  const { averaging, accumulate } = optimizer.settings;
  const trained = changing.filter(({ weight }) => weight.trainable);
  const beside = (given: readonly TrainedWeight[], name: string): Map<State, State> =>
    new Map(
      given.map(({ weight, facts }) => [weight.state, new State(`${facts.path}.${name}`, facts.shape, "float32")]),
    );
  const averages = averaging === undefined ? new Map<State, State>() : beside(changing, "average");
  const shown = averaging !== undefined ? changing : optimizer.shown !== undefined ? trained : [];
  const [raw, seen] = [beside(shown, "raw"), averaging === undefined ? beside(shown, "seen") : averages];
  return {
    slots: new Map(trained.map(({ weight, facts }) => [weight.state, slotStates(facts.path, optimizer.slots(facts))])),
    averages,
    hidden: new Map([...raw].map(([state, own]) => [state, { raw: own, seen: seen.get(state) ?? own }])),
    learningRate: new State("learningRate", [], "float32"),
    rates:
      typeof optimizer.learningRate === "number"
        ? undefined
        : { values: new State("rates", [RATES], "float32"), first: new State("rates.first", [], "int32") },
    step: new State("step", [], "int32"),
    window: accumulate === 1 ? undefined : windowStates(trained, terms),
  };
}

const slotStates = (path: string, slots: Slots): Record<string, State> =>
  Object.fromEntries(
    Object.entries(slots).map(([name, { shape }]) => [name, new State(`${path}.${name}`, shape, "float32")]),
  );

const windowStates = (trained: readonly TrainedWeight[], terms: number): WindowStates => ({
  filled: new State("window.filled", [], "int32"),
  denominators: new State("window.denominators", [terms + 1], "float32"),
  sums: new Map(
    trained.map(({ weight: { state }, facts: { path } }) => [
      state,
      Array.from({ length: terms }, (_, i) => new State(`${path}.gradients${i}`, state.shape, "float32")),
    ]),
  ),
  epochEnd: new State("window.epochEnd", [], "int32"),
});

/** All of them, by name. What is sent with each run, or set at the beginning of an epoch, is among `passing`. */
export function listStates(states: OptimizerStates): { readonly kept: State[]; readonly passing: State[] } {
  const { slots, averages, hidden, learningRate, rates, step, window } = states;
  const kept = new Set([
    learningRate,
    step,
    ...[...slots.values()].flatMap((record) => Object.values(record)),
    ...averages.values(),
    ...[...hidden.values()].flatMap(({ raw, seen }) => [raw, seen]),
    ...(window === undefined ? [] : [window.filled, window.denominators, ...[...window.sums.values()].flat()]),
  ]);
  return {
    kept: [...kept],
    passing: [
      ...(rates === undefined ? [] : [rates.values, rates.first]),
      ...(window === undefined ? [] : [window.epochEnd]),
    ],
  };
}
