/** Derivatives for people to look at: what a training step computes on its way, at data and weights as they are. */
import type { Session } from "../backends/backend.js";
import { gradients, vjp } from "../autodiff/gradient.js";
import { type Columns, columnsOf, type TensorOrList } from "../data/example.js";
import { booleanOption, checkOptions, DataError, OptionError } from "../errors.js";
import { constant, iota, read } from "../graph/make.js";
import { type Node, type Program, State } from "../graph/node.js";
import { newTracing } from "../nn/layer.js";
import type { Network } from "../nn/network.js";
import * as ops from "../ops/index.js";
import { computedAs } from "../tensor/dtype.js";
import { formatShape, sameShape, sizeAt } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { checkInputs, checkTargets } from "./check-data.js";
import { finishing } from "./finish.js";
import { checkFlag, Guards, isGuarded } from "./guards.js";
import { measure, type Objective } from "./measure.js";
import { inOrder, namesFor } from "./model-data.js";
import { networkFor } from "../nn/open-axes.js";
import { tracedWith } from "./traced.js";
import { trainable } from "./trained.js";
import { atOnce } from "../turns.js";

/** Inputs, and what is differentiated: the loss against targets `y`, or Σ output·upstream. */
export type GradientData =
  | { readonly x: TensorOrList; readonly y: TensorOrList; readonly upstream?: undefined }
  | { readonly x: TensorOrList; readonly upstream: TensorOrList; readonly y?: undefined };

/** Options of a model's `gradients`. */
export interface GradientOptions {
  /** Layers work as in a training step, and moving averages move on. Default false. */
  readonly training?: boolean;
}

/** What a model's `gradients` gives. */
export interface Gradients {
  /** The loss with its penalties, or Σ output·upstream. */
  readonly value: number;
  readonly outputs: readonly Tensor[];
  /** For each input; undefined for inputs of integers. */
  readonly inputs: readonly (Tensor | undefined)[];
  /** For each trainable weight, by name. */
  readonly weights: Readonly<Record<string, Tensor>>;
}

const copyOf = ({ data, shape, dtype }: Tensor): Tensor => new Tensor(data.slice(), shape, dtype);

/** The whole data is one batch. `objective` is what the model was compiled for, if it was. */
export async function computeGradients(
  whole: Network,
  session: Session,
  {
    data,
    options,
    objective,
    seed,
  }: { data: GradientData; options: GradientOptions; objective: Objective | undefined; seed: number },
): Promise<Gradients> {
  checkOptions("gradients", data, ["x", "y", "upstream"]);
  checkOptions("gradients", options, ["training"]);
  const training = booleanOption("gradients", "training", options.training ?? false);
  // Copies, as the caller may change the data before it is in the engine.
  const names = namesFor(whole, data.upstream === undefined ? objective?.goals : undefined);
  const given = inOrder(columnsOf({ x: data.x, y: data.upstream ?? data.y }), names, "gradients");
  const [x, goals] = [given.x.map(copyOf), given.y.map(copyOf)];
  const network = networkFor(whole, x);
  checkInputs(network, x);
  const loss = data.upstream === undefined ? lossFor(network, objective, { x, y: goals }) : undefined;
  const dtypes = network.inputSpecs.map(({ dtype }) => dtype);
  const columns = [...x, ...goals].map(
    ({ shape, dtype }, i) => new State(`gradients.${i}`, shape, dtypes[i] ?? computedAs(dtype)),
  );
  const nodes = columns.map(read);
  const flag = new State("gradients.flag", [4], "int32");
  const [inputs, targets] = [nodes.slice(0, x.length), nodes.slice(x.length)];
  const guards = new Guards(network, {
    inputs,
    others: targets,
    columns,
    rows: iota([sizeAt(x[0]?.shape ?? [], 0)], 0),
    flag,
  });
  const exactConvolutions = objective?.exactConvolutions;
  const made = derive(network, { x: inputs, goals: targets, loss, training, seed, guards, exactConvolutions });
  const held = [...columns, flag];
  await session.allocate(held);
  const compute = async (): Promise<Gradients> => {
    for (const [i, tensor] of [...x, ...goals].entries()) {
      const state = columns[i];
      if (state !== undefined) await session.write(state, tensor);
    }
    const results = await session.run(await session.compile(made.program));
    if (isGuarded(made.program)) checkFlag(made.program, await session.read(flag));
    return made.collect(results.map((result) => result.reshape(result.shape.slice(1))));
  };
  return finishing(compute, [() => session.release(held)]);
}

function lossFor(network: Network, objective: Objective | undefined, columns: Columns): Objective {
  if (objective === undefined) {
    throw new OptionError({
      where: "gradients",
      problem: "targets are given, but the model is not compiled",
      fix: "Call model.compile({ loss }) first, or give upstream instead of y.",
    });
  }
  checkTargets(network, objective.goals, columns);
  return { ...objective, network };
}

interface Question extends Pick<Program, "exactConvolutions"> {
  readonly x: readonly Node[];
  /** Targets where there is a loss, factors of the outputs where there is none. */
  readonly goals: readonly Node[];
  readonly loss: Objective | undefined;
  readonly training: boolean;
  readonly seed: number;
  readonly guards: Guards;
}

function derive(
  network: Network,
  { x, goals, loss, training, seed, guards, exactConvolutions }: Question,
): { program: Program; collect: (results: readonly Tensor[]) => Gradients } {
  const trained = trainable(network);
  const substitutes = new Map(trained.map(({ state }) => [state, read(state)]));
  const wrt = [...x.filter(({ dtype }) => dtype === "float32"), ...substitutes.values()];
  const key = ops.stack([constant(seed | 0, [], "int32"), constant(0, [], "int32")]);
  const tracing = newTracing(training, key, substitutes);
  const traced = x.map((value) => ({ value }));
  const { outputs, value, parts } = loss === undefined ? ofOutputs() : ofLoss(loss);
  const updates = [...tracing.updates].map(([state, next]) => ({ state, value: next }));

  function ofLoss(objective: Objective): { outputs: readonly Node[]; value: Node; parts: Node[] } {
    const { total, outputs: values } = atOnce(measure(objective, traced, { values: goals }, tracing, guards.bound));
    return { outputs: values, value: total, parts: gradients(total, wrt) };
  }

  function ofOutputs(): { outputs: readonly Node[]; value: Node; parts: Node[] } {
    const options = { bound: guards.bound, exactConvolutions };
    const values = atOnce(tracedWith(network, traced, tracing, options)).map(({ value: output }) => output);
    checkUpstream(values, goals);
    const products = values.map((output, i) => {
      const factor = goals[i];
      if (factor === undefined) throw new RangeError("an output has no factor");
      return ops.sum(ops.mul(output, factor));
    });
    return { outputs: values, value: products.reduce((a, b) => ops.add(a, b)), parts: vjp(values, goals, wrt) };
  }

  const collect = (results: readonly Tensor[]): Gradients => {
    const rest = [...results.slice(outputs.length + 1)];
    const inputs = x.map(({ dtype }) => (dtype === "float32" ? rest.shift() : undefined));
    const weights = Object.fromEntries(
      trained
        .map(({ name }, i) => [name, rest[i]] as const)
        .filter((entry): entry is [string, Tensor] => entry[1] !== undefined),
    );
    return {
      value: results[outputs.length]?.data[0] ?? NaN,
      outputs: results.slice(0, outputs.length),
      inputs,
      weights,
    };
  };
  const all = [...outputs, value, ...parts];
  const program = atOnce(guards.close({ name: "gradients", outputs: all, updates, exactConvolutions }));
  return { program, collect };
}

function checkUpstream(outputs: readonly Node[], upstream: readonly Node[]): void {
  const fits =
    outputs.length === upstream.length && outputs.every(({ shape }, i) => sameShape(shape, upstream[i]?.shape ?? []));
  if (fits) return;
  const [expected, received] = [outputs, upstream].map((nodes) =>
    nodes.map(({ shape }) => formatShape(shape)).join(", "),
  );
  throw new DataError({
    where: "gradients",
    problem: "upstream does not have the outputs' shape",
    expected: expected ?? "",
    received: received ?? "",
  });
}
