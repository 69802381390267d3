/**
 * Layers, models, losses, metrics, optimizers, data: the library.
 *
 * @module torte
 */
import "./names.js";
import "./tools.js";

export * from "./lean.js";
