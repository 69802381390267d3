// Works for a study in a database until it is over.
import { serveTrials } from "@torte/tune";
import { tunable } from "../kill/tunable.mjs";

const [url, study, other] = process.argv.slice(2);
await serveTrials(
  async () => {
    const { folder, ...all } = tunable("");
    return other === undefined
      ? all
      : {
          ...all,
          compile: (h) => ({
            ...all.compile(h),
            loss: h.categorical("loss", ["meanSquaredError", "binaryCrossentropy"]),
          }),
        };
  },
  { url, study, lease: 5 },
);
process.exit(0);
