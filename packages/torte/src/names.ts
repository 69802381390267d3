/**
 * Optimizers, losses and metrics by their names, for `compile`: "adam", "meanSquaredError", "accuracy". Part of `torte`; beside
 * `torte/lean` it is imported for its effect.
 *
 * @module torte/names
 */
import { LOSS_NAMES } from "./losses/read.js";
import { LOSSES } from "./losses/losses.js";
import { NAMED } from "./metrics/metrics.js";
import { METRIC_NAMES } from "./metrics/read.js";
import { OPTIMIZERS } from "./optim/optimizers.js";
import { OPTIMIZER_NAMES } from "./optim/read.js";

OPTIMIZER_NAMES.provide(OPTIMIZERS);
LOSS_NAMES.provide(LOSSES);
METRIC_NAMES.provide(NAMED);
