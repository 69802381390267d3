/**
 * Copies of batches: a stream may use the memory of a batch again for the next one. They are made where earlier ones have been,
 * since new memory takes longer to come by than its contents take to copy; where it can be shared, the engine reads them there.
 */
import { canShareMemory } from "../backends/wasm/session.js";
import type { Columns } from "../data/dataset.js";
import type { HostDType, TypedArray } from "../tensor/dtype.js";
import { arrayOf, Tensor } from "../tensor/tensor.js";

/** Bytes that are kept for copies to come. */
const MOST_BYTES = 2 ** 25;

export class BatchMemory {
  /** Arrays that nobody uses, by dtype and length. */
  readonly #free = new Map<string, TypedArray[]>();
  #bytes = 0;

  copy({ x, y, sampleWeight }: Columns): Columns {
    const copy = ({ data, shape, dtype }: Tensor): Tensor => {
      const own = this.#array(dtype, data.length);
      own.set(data);
      return new Tensor(own, shape, dtype);
    };
    return {
      x: x.map(copy),
      y: y.map(copy),
      ...(sampleWeight === undefined ? {} : { sampleWeight: sampleWeight.map(copy) }),
    };
  }

  #array(dtype: HostDType, length: number): TypedArray {
    const found = this.#free.get(`${dtype} ${length}`)?.pop();
    if (found !== undefined) {
      this.#bytes -= found.byteLength;
      return found;
    }
    return arrayOf(dtype, length, canShareMemory());
  }

  /** Nobody reads this copy any more. */
  giveBack({ x, y, sampleWeight = [] }: Columns): void {
    for (const { dtype, data } of [...x, ...y, ...sampleWeight]) {
      if (this.#bytes + data.byteLength > MOST_BYTES) {
        this.#free.clear();
        this.#bytes = 0;
      }
      this.#bytes += data.byteLength;
      const key = `${dtype} ${data.length}`;
      const others = this.#free.get(key) ?? [];
      this.#free.set(key, others);
      others.push(data);
    }
  }
}
