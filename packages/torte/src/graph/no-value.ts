/** What a node does where it is taken for the numbers that it stands for: it says that there are none yet, and what to use. */
import { GraphError } from "../errors.js";

const VALUES = {
  problem: "a node has no numbers while its function is traced",
  fix: "Call the function with tensors and read its result; compute with ops inside of it.",
};
const CONTROL = {
  problem:
    "a node has no value while its function is traced, so that nothing can be decided by it or computed with it but ops",
  fix: "Choose by ops.where(condition, a, b), compare with ops.less, compute with ops.add; what decides about the program comes in as a number or as true or false.",
};
const IN_PLACE = {
  problem: "a node cannot be changed",
  fix: "Make a new one: ops.where, ops.concat, ops.pad or ops.scatterAdd.",
};

/** Names of what arrays and tensors have, and nodes have not. */
const ASKED: ReadonlySet<string> = new Set(["data", "toArray", "item", "at", "slice", "map", "forEach", "reduce"]);
const isIndex = (key: string): boolean => /^(0|[1-9]\d*)$/.test(key);

/** The end of the chain of prototypes: what is asked for here is not there. */
export function noValue<Node extends object>(describe: (node: Node) => string): object {
  const fail = (node: Node, { problem, fix }: { problem: string; fix: string }, asked: string): never => {
    throw new GraphError({ where: asked, problem, received: describe(node), fix });
  };
  const handler: ProxyHandler<object> = {
    get: (_target, key, node) => {
      if (key === Symbol.toPrimitive) {
        // Texts are for messages.
        return (hint: string) => (hint === "string" ? describe(node as Node) : fail(node as Node, CONTROL, "a node"));
      }
      if (typeof key === "string" && (ASKED.has(key) || isIndex(key)))
        return fail(node as Node, VALUES, isIndex(key) ? `[${key}]` : `.${key}`);
      return Reflect.get(Object.prototype, key, node) as unknown;
    },
    set: (_target, key, _value, node) => fail(node as Node, IN_PLACE, typeof key === "string" ? `.${key} =` : "="),
  };
  return new Proxy({}, handler);
}
