/** What went wrong in a run of steps: found by replaying it from its start. */
import type { Executable, Session } from "../backends/backend.js";
import type { TrainingSetup } from "./training-setup.js";
import type { Objective } from "./measure.js";
import { NotFiniteError, statisticsOf } from "./not-finite.js";
import type { Resident } from "./resident.js";

/** Where steps can be replayed from. */
export interface Replay {
  readonly session: Session;
  readonly compiled: TrainingSetup;
  /** Name of the copy of all states as they were before the last chunk. */
  readonly snapshot: string;
}

/** Steps that ran without JavaScript in between. */
export interface Chunk {
  readonly executable: Executable;
  /** What the steps are for, weights of classes included. */
  readonly objective: Objective;
  readonly data: Resident;
  readonly batch: number;
  readonly count: number;
}

/** Goes back to the start of the chunk; the number of steps that were done by then. */
async function restart({ session, compiled, snapshot }: Replay): Promise<number> {
  await session.restore(snapshot);
  return (await session.read(compiled.states.random)).data[1] ?? 0;
}

/** Throws the error that names the step and the layer where the numbers went wrong; the model is left as before that step. */
export async function failedStep(replay: Replay, chunk: Chunk, bad: number): Promise<never> {
  const { session, compiled } = replay;
  const { executable, objective, data, batch } = chunk;
  const good = bad - 1 - (await restart(replay));
  if (good > 0) await session.run(executable, { steps: good });
  const { optimizer, trained, states } = compiled;
  const { findBadNumber } = await import("./diagnose.js");
  const found = await findBadNumber(session, { objective, optimizer, trained, states }, data, batch);
  throw new NotFiniteError({ step: bad, ...found });
}

/**
 * A step's loss is from before its update: whether the last update was good is seen in the weights.
 *
 * @throws TrainingError where it was not; the model is left as before that update.
 */
export async function checkWeights(replay: Replay, { executable, count }: Chunk): Promise<void> {
  const { session, compiled } = replay;
  if ((await compiled.badState(session)) === undefined) return;
  const done = await restart(replay);
  let bad = await compiled.badState(session);
  let steps = 0;
  for (; bad === undefined && steps < count; steps++) {
    await session.run(executable);
    bad = await compiled.badState(session);
  }
  const tensor = bad === undefined ? {} : { tensor: statisticsOf(await session.read(bad.state)) };
  await restart(replay);
  if (steps > 1) await session.run(executable, { steps: steps - 1 });
  const layer = bad?.name ?? "a weight";
  const problem = `${layer} is not finite after the update`;
  throw new NotFiniteError({ step: done + steps, layer, problem, ...tensor });
}
