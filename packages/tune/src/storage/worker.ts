/** A worker's side: a process that a leader has started, which trains what it is told. */
import { InProcess, type InProcessOptions } from "../study/in-process.js";
import { reasonOf } from "../study/leader.js";
import { BEAT_MS, type FromWorker, type ToWorker } from "./messages.js";

/**
 * Serves the process that has started this one with `fork`, until that goes away. `prepare` is called once; what it gives trains each
 * job. The process ends when its leader does.
 */
export async function serve(prepare: () => Promise<InProcessOptions>): Promise<void> {
  const say = (message: FromWorker): void => {
    if (process.connected) process.send?.(message);
  };
  // The leader may have gone before anybody listened.
  const follow = (): void => {
    if (!process.connected) process.exit(0);
    say({ say: "beat" });
  };
  process.on("disconnect", follow);
  const beat = setInterval(follow, BEAT_MS);
  follow();
  let executor: InProcess;
  try {
    executor = new InProcess(await prepare());
  } catch (error) {
    say({ say: "broken", reason: reasonOf(error) });
    clearInterval(beat);
    return;
  }
  const answers = new Map<number, (yes: boolean) => void>();
  process.on("message", (message: ToWorker) => {
    if (message.say === "release") executor.release(message.trial);
    else if (message.say === "goOn") answers.get(message.id)?.(message.yes);
    else {
      const { id, job } = message;
      void executor
        .run(job, (epoch, { values, seconds }) => {
          const numbers = values.map((value) => (Number.isFinite(value) ? value : null));
          say({ say: "epoch", id, epoch, values: numbers, seconds });
          return new Promise<boolean>((resolve) => answers.set(id, resolve));
        })
        .then((end) => say({ say: "end", id, end }));
    }
  });
  say({ say: "ready" });
}
