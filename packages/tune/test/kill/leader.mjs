// Leads a study with workers to its end.
import { lead } from "./lead.mjs";

const [folder, count, trials, lease] = process.argv.slice(2);
await lead(folder, trials, {
  workers: {
    count: Number(count),
    program: new URL("worker.mjs", import.meta.url),
    args: [folder],
    ...(lease === undefined ? {} : { lease: Number(lease) }),
  },
});
