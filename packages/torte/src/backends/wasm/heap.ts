/** Places in a linear memory: first fit, with neighbours joined when they are freed. */
const ALIGNMENT = 64;

export class Heap {
  /** Free and taken blocks by address, in order, without gaps; the last one is taken. */
  readonly #blocks: { address: number; bytes: number; taken: boolean }[] = [];
  readonly #start: number;

  constructor(start: number) {
    this.#start = start;
  }

  /** The first byte behind everything that is taken. */
  get end(): number {
    const last = this.#blocks.at(-1);
    return last === undefined ? this.#start : last.address + last.bytes;
  }

  /** Bytes that are taken. */
  get taken(): number {
    return this.#blocks.reduce((sum, { bytes, taken }) => sum + (taken ? bytes : 0), 0);
  }

  allocate(bytes: number): number {
    const size = Math.max(ALIGNMENT, Math.ceil(bytes / ALIGNMENT) * ALIGNMENT);
    const i = this.#blocks.findIndex((block) => !block.taken && block.bytes >= size);
    const block = this.#blocks[i];
    if (block === undefined) {
      const address = this.end;
      this.#blocks.push({ address, bytes: size, taken: true });
      return address;
    }
    if (block.bytes > size) {
      this.#blocks.splice(i + 1, 0, { address: block.address + size, bytes: block.bytes - size, taken: false });
    }
    block.bytes = size;
    block.taken = true;
    return block.address;
  }

  free(address: number): void {
    const i = this.#blocks.findIndex((block) => block.address === address && block.taken);
    const block = this.#blocks[i];
    if (block === undefined) throw new RangeError(`nothing is allocated at ${address}`);
    block.taken = false;
    for (const at of [i, i - 1]) {
      const [a, b] = [this.#blocks[at], this.#blocks[at + 1]];
      if (a !== undefined && b !== undefined && !a.taken && !b.taken) {
        a.bytes += b.bytes;
        this.#blocks.splice(at + 1, 1);
      }
    }
    if (this.#blocks.at(-1)?.taken === false) this.#blocks.pop();
  }
}
