/** Tasks that must not overlap, one after the other. */
export class Queue {
  #last: Promise<unknown> = Promise.resolve();

  /** The task's own result or failure, which does not stop the tasks behind it. */
  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#last.then(task);
    this.#last = result.catch(() => undefined);
    return result;
  }
}
