/** What models tell about themselves. */
import { Part } from "../../parts.js";
import type * as description from "../serialize/description.js";
import type * as explanation from "./explain.js";
import type * as hyperparameters from "./hyperparameters.js";
import type * as table from "./summary.js";

interface Inspection {
  readonly summarize: typeof table.summarize;
  readonly explain: typeof explanation.explain;
  readonly listHyperparameters: typeof hyperparameters.listHyperparameters;
  readonly describeNetwork: typeof description.describeNetwork;
}

export const INSPECTION = new Part<Inspection>("torte/tools");
