/** Data in the engine's memory: uploaded once, visited in any order without JavaScript in between. */
import type { Session } from "../backends/backend.js";
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
  readonly columns: Columns;
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

  /**
   * The columns in the engine, uploaded where they are new, the order to visit their rows in (none: as they lie), and the
   * cursor at 0. There is room for `capacity` rows, so that other columns of the same form can take their place.
   */
  async load(name: string, columns: Columns, order?: Int32Array, capacity = rowsOf(columns)): Promise<Resident> {
    const known = this.#known.get(name);
    const fits = known !== undefined && holds(known.data, columns);
    const data = fits ? known.data : await this.#allocate(name, columns, capacity, known);
    const writes: Promise<void>[] = [];
    if (!fits || !sameColumns(known.columns, columns)) {
      const tensors = [...columns.x, ...columns.y];
      [...data.x, ...data.y].forEach((state, i) => {
        const tensor = tensors[i];
        if (tensor !== undefined) writes.push(this.#session.write(state, tensor));
      });
      this.#known.set(name, { columns, data });
    }
    const rows = order ?? (fits ? undefined : Int32Array.from({ length: capacity }, (_, i) => i));
    if (rows !== undefined) writes.push(this.#session.write(data.order, new Tensor(rows, [rows.length], "int32")));
    writes.push(this.#session.write(data.cursor, new Tensor(new Int32Array(1), [], "int32")));
    await Promise.all(writes);
    return data;
  }

  async #allocate(name: string, columns: Columns, capacity: number, known: Known | undefined): Promise<Resident> {
    if (known !== undefined) {
      this.#known.delete(name);
      this.#forgotten(known.data);
      await this.#session.release(statesOf(known.data));
    }
    const data = residentStates(`${name}${this.#next++}`, columns, capacity);
    await this.#session.allocate(statesOf(data));
    return data;
  }
}

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

function holds(data: Resident, columns: Columns): boolean {
  const fits = (states: readonly State[], tensors: readonly Tensor[]): boolean =>
    states.length === tensors.length &&
    states.every(({ shape, dtype }, i) => {
      const tensor = tensors[i];
      return (
        tensor !== undefined &&
        dtype === stored(tensor) &&
        sameShape(shape.slice(1), tensor.shape.slice(1)) &&
        (shape[0] ?? 0) >= (tensor.shape[0] ?? 0)
      );
    });
  return fits(data.x, columns.x) && fits(data.y, columns.y);
}

function sameColumns(a: Columns, b: Columns): boolean {
  const same = (p: readonly Tensor[], q: readonly Tensor[]): boolean =>
    p.length === q.length && p.every((tensor, i) => tensor === q[i]);
  return same(a.x, b.x) && same(a.y, b.y);
}
