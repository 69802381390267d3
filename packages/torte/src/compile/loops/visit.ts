/** What statements compute. */
import { dynamics, type Expr } from "./expr.js";
import type { Statement } from "./loops.js";

/** Visits what a statement computes, values behind its indices included. */
export function visitStatement(statement: Statement, visit: (value: Expr) => void): void {
  if (statement.op === "accumulate") statement.values.forEach(visit);
  else if (statement.op === "store" || statement.op === "addTo") {
    visit(statement.value);
    dynamics(statement.index).forEach(visit);
  }
}
