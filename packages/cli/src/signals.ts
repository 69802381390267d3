/** What a process does when it is told to end, and when an experiment's own code goes astray. */

/** Exit statuses as a shell has them for a process that a signal ended: 128 and the signal's number. */
const STATUSES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
const NO_READER = 141;

/**
 * Runs something that ends early, with true, when its signal says so. Returns the exit status.
 *
 * The first signal asks the run to end, the second ends the process. Output that nobody reads any more ends the run, too.
 */
export async function guarded(
  run: (signal: AbortSignal) => Promise<boolean>,
  explain: (error: unknown) => string,
): Promise<number> {
  const controller = new AbortController();
  let status = 0;
  const end = (code: number): void => {
    if (controller.signal.aborted) return;
    status = code;
    controller.abort();
  };
  const handlers = Object.entries(STATUSES).map(([name, number]) => {
    const handler = (): void => {
      if (controller.signal.aborted) process.exit(status);
      end(number);
    };
    return [name, handler] as const;
  });
  const unread = (): void => {
    end(NO_READER);
  };
  const astray = (error: unknown): void => {
    process.stderr.write(`${explain(error)}\n`);
    process.exit(1);
  };
  const stuck = (): void => {
    astray(new Error("The experiment waits for something that never comes: a promise that nothing settles."));
  };
  for (const [name, handler] of handlers) process.on(name, handler);
  process.stdout.on("error", unread);
  process.on("uncaughtException", astray).on("beforeExit", stuck);
  try {
    return (await run(controller.signal)) ? status : 0;
  } catch (error) {
    const { aborted } = controller.signal;
    const reason: unknown = controller.signal.reason;
    // An experiment's data() that is interrupted in a download fails with this as the cause.
    if (!aborted || (error !== reason && !(error instanceof Error && error.cause === reason))) throw error;
    process.stderr.write("Interrupted before training began; nothing is written.\n");
    return status;
  } finally {
    // The handler of the output's errors stays: what is written last may still fail.
    for (const [name, handler] of handlers) process.off(name, handler);
    process.off("uncaughtException", astray).off("beforeExit", stuck);
  }
}
