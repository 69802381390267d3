// pg-boss 12 in the place of 10, for Node that it runs on.
import { registerHooks } from "node:module";

registerHooks({
  resolve: (specifier, context, next) => next(specifier === "pg-boss" ? "pg-boss-12" : specifier, context),
});
