/** Data in the engine's memory: uploaded once, visited in any order without JavaScript in between. */
import type { Session, Write } from "../backends/backend.js";
import type { Columns } from "../data/dataset.js";
import { State } from "../graph/node.js";
import { sameShape } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";

/** Columns of rows, the order to visit them in, and the place in that order where the next step begins. */
export interface Resident {
  readonly x: readonly State[];
  readonly y: readonly State[];
  readonly order: State;
  readonly cursor: State;
}

export const statesOf = ({ x, y, order, cursor }: Resident): State[] => [...x, ...y, order, cursor];

interface Known {
  /** What has been uploaded last. */
  columns?: Columns;
  readonly data: Resident;
}

/** The data of one model, by what it is for. Programs are compiled over its states: these stay for as long as the data fits. */
export class ResidentData {
  readonly #session: Session;
  readonly #forgotten: (data: Resident) => void;
  readonly #known = new Map<string, Known>();
  #next = 0;

  /** `forgotten` is told of data whose states are gone. */
  constructor(session: Session, forgotten: (data: Resident) => void) {
    this.#session = session;
    this.#forgotten = forgotten;
  }

  /** The columns in the engine, uploaded where they are new, the order to visit their rows in, and the cursor at 0. */
  async load(name: string, columns: Columns, order: Int32Array): Promise<Resident> {
    const known = this.#fitting(name, columns, rowsOf(columns)) ?? (await this.#allocate(name, columns));
    const { data } = known;
    const isNew = known.columns === undefined || !sameColumns(known.columns, columns);
    known.columns = columns;
    const writes = [...(isNew ? contents(data, columns) : []), orderOf(data, order), start(data)];
    await Promise.all(writes.map(({ state, value }) => this.#session.write(state, value)));
    return data;
  }

  /** Room for `capacity` rows like these, visited as they lie; `arrival` is what has to be written with each run. */
  async room(name: string, columns: Columns, capacity: number): Promise<Resident> {
    const known = this.#fitting(name, columns, capacity);
    if (known !== undefined) return known.data;
    const { data } = await this.#allocate(name, columns, capacity);
    const { state, value } = orderOf(
      data,
      Int32Array.from({ length: capacity }, (_, i) => i),
    );
    await this.#session.write(state, value);
    return data;
  }

  #fitting(name: string, columns: Columns, capacity: number): Known | undefined {
    const known = this.#known.get(name);
    return known !== undefined && holds(known.data, columns, capacity) ? known : undefined;
  }

  async #allocate(name: string, columns: Columns, capacity = rowsOf(columns)): Promise<Known> {
    const before = this.#known.get(name);
    if (before !== undefined) {
      this.#known.delete(name);
      this.#forgotten(before.data);
      await this.#session.release(statesOf(before.data));
    }
    const data = residentStates(`${name}${this.#next++}`, columns, capacity);
    await this.#session.allocate(statesOf(data));
    const known = { data };
    this.#known.set(name, known);
    return known;
  }
}

/** New rows, to be visited from the first one on. */
export const arrival = (data: Resident, columns: Columns): Write[] => [...contents(data, columns), start(data)];

function contents(data: Resident, { x, y }: Columns): Write[] {
  const tensors = [...x, ...y];
  return [...data.x, ...data.y].flatMap((state, i) => {
    const value = tensors[i];
    return value === undefined ? [] : [{ state, value }];
  });
}

const orderOf = ({ order }: Resident, rows: Int32Array): Write => ({
  state: order,
  value: new Tensor(rows, [rows.length], "int32"),
});

const start = ({ cursor }: Resident): Write => ({ state: cursor, value: new Tensor(new Int32Array(1), [], "int32") });

const rowsOf = ({ x }: Columns): number => x[0]?.shape[0] ?? 0;

function residentStates(name: string, { x, y }: Columns, capacity: number): Resident {
  const column =
    (part: string) =>
    (t: Tensor, i: number): State =>
      new State(`${name}.${part}${i}`, [capacity, ...t.shape.slice(1)], stored(t));
  return {
    x: x.map(column("x")),
    y: y.map(column("y")),
    order: new State(`${name}.order`, [capacity], "int32"),
    cursor: new State(`${name}.cursor`, [], "int32"),
  };
}

const stored = ({ dtype }: Tensor): State["dtype"] => (dtype === "float64" ? "float32" : dtype);

function holds(data: Resident, columns: Columns, capacity: number): boolean {
  const fits = (states: readonly State[], tensors: readonly Tensor[]): boolean =>
    states.length === tensors.length &&
    states.every(({ shape, dtype }, i) => {
      const tensor = tensors[i];
      return (
        tensor !== undefined &&
        dtype === stored(tensor) &&
        sameShape(shape.slice(1), tensor.shape.slice(1)) &&
        (shape[0] ?? 0) >= capacity
      );
    });
  return fits(data.x, columns.x) && fits(data.y, columns.y);
}

function sameColumns(a: Columns, b: Columns): boolean {
  const same = (p: readonly Tensor[], q: readonly Tensor[]): boolean =>
    p.length === q.length && p.every((tensor, i) => tensor === q[i]);
  return same(a.x, b.x) && same(a.y, b.y);
}
