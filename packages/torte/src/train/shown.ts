/**
 * Weights that are shown as something else when the model does not train: their moving average, or the average of a
 * schedule-free optimizer. Training hides it and goes on with the weights themselves.
 */
import { read } from "../graph/make.js";
import type { Program, Update } from "../graph/node.js";
import * as ops from "../ops/index.js";
import type { Optimizer } from "../optim/optimizer.js";
import type { OptimizerStates } from "./optimizer-states.js";
import type { TrainedWeight } from "./trained.js";

/** Puts what is shown in the weights' place, and keeps them. */
export function showProgram(optimizer: Optimizer, { averages, hidden, slots }: OptimizerStates): Program {
  const updates = [...hidden].flatMap(([state, { raw, seen }]): Update[] => {
    const average = averages.get(state);
    const own = Object.entries(slots.get(state) ?? {}).map(([name, slot]) => [name, read(slot)] as const);
    const shown =
      average === undefined ? (optimizer.shown?.(read(state), Object.fromEntries(own)) ?? read(state)) : read(average);
    const kept = seen === average ? [] : [{ state: seen, value: shown }];
    return [{ state: raw, value: read(state) }, { state, value: shown }, ...kept];
  });
  return { name: "show", outputs: [], updates };
}

/**
 * Puts the weights back. A weight that is not what was shown has been set from outside: training goes on with what it is, and
 * averages begin anew there.
 */
export function hideProgram(
  optimizer: Optimizer,
  { averages, hidden, slots }: OptimizerStates,
  changing: readonly TrainedWeight[],
): Program {
  const updates = changing.flatMap(({ weight: { state }, facts }): Update[] => {
    const places = hidden.get(state);
    if (places === undefined) return [];
    const isSet = ops.any(ops.notEqual(read(state), read(places.seen)));
    const average = averages.get(state);
    const kept = slots.get(state) ?? {};
    const copies = Object.entries(optimizer.slots(facts)).flatMap(([name, { start }]) => {
      const slot = kept[name];
      return start === "weight" && slot !== undefined ? slot : [];
    });
    const anew = [...copies, ...(average === undefined ? [] : [average])];
    return [
      { state, value: ops.where(isSet, read(state), read(places.raw)) },
      ...anew.map((copy) => ({ state: copy, value: ops.where(isSet, read(state), read(copy)) })),
    ];
  });
  return { name: "hide", outputs: [], updates };
}
