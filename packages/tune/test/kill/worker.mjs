import { serveTrials } from "@torte/tune";
import { tunable } from "./tunable.mjs";

await serveTrials(async () => tunable(process.argv[2]));
