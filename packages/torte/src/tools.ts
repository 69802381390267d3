/**
 * What models tell about themselves (`summary`, `explain`, `hyperparameters`, `describe`), `pure`, and the words of `TORTE_DEBUG`. Part of `torte`; beside
 * `torte/lean` it is imported for its effect.
 *
 * @module torte/tools
 */
import { explain } from "./nn/inspect/explain.js";
import { listHyperparameters } from "./nn/inspect/hyperparameters.js";
import { INSPECTION } from "./nn/inspect/part.js";
import { summarize } from "./nn/inspect/summary.js";
import { PRINTING } from "./compile/debug.js";
import { printKernel } from "./compile/loops/print.js";
import { print } from "./graph/print.js";
import { describeNetwork } from "./nn/serialize/description.js";
import { PURE } from "./train/model.js";
import { pureFunction } from "./train/pure.js";

INSPECTION.provide({ summarize, explain, listHyperparameters, describeNetwork });
PURE.provide(pureFunction);
PRINTING.provide({ print, printKernel });
