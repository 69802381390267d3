/** All metrics, those included that share a name with a loss. */
export * from "./index.js";
export { cosineSimilarity, mean, sum } from "./regression.js";
