/** Work with what has to be done after it, whatever happens. */

/** Runs the work, then every task of `after` although others fail; of several failures the first one is thrown. */
export async function finishing<T>(work: () => Promise<T>, after: readonly (() => unknown)[]): Promise<T> {
  const [result] = await Promise.allSettled([work()]);
  let failed: PromiseSettledResult<unknown> = result;
  for (const task of after) {
    const [done] = await Promise.allSettled([(async () => await task())()]);
    if (failed.status === "fulfilled" && done.status === "rejected") failed = done;
  }
  if (failed.status === "rejected") throw failed.reason;
  return (result as PromiseFulfilledResult<T>).value;
}
