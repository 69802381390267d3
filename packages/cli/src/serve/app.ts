/** The routes of `torte serve`. */
import type { Predictor } from "@torte/data";
import { type Context, type Env, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { z } from "zod";
import { Batcher, BusyError } from "./batcher.js";
import { Metrics } from "./metrics.js";
import { openApi, schemaOf } from "./openapi.js";
import { pageOf, SCRIPT } from "./page.js";
import { RateLimit } from "./rate.js";

export interface AppOptions {
  readonly name: string;
  readonly version: string;
  /** Requests of one client in a second. */
  readonly rate: number;
  /** Bytes of a request. */
  readonly maxBytes: number;
  /** Rows of a request. */
  readonly maxRows: number;
  /** The client of a request, by which the rate is counted. */
  readonly clientOf: (context: Context) => string;
  /** Whether the client of a request no longer waits for the answer. */
  readonly hasGone: (context: Context) => boolean;
}

export interface App {
  readonly fetch: Hono["fetch"];
  readonly request: Hono["request"];
  /** From now on the service is not ready. */
  drain(): void;
}

const problem = (context: Context, status: 400 | 408 | 413 | 415 | 429 | 500 | 503, text: string): Response =>
  context.json({ error: text }, status);

export function makeApp(predictor: Predictor, options: AppOptions): App {
  const { columns } = predictor.encoding;
  const schema = schemaOf(predictor, options.maxRows);
  const batcher = new Batcher(predictor);
  const metrics = new Metrics();
  const limit = new RateLimit(options.rate);
  let draining = false;
  const app = new Hono();

  app.use(async (context, next) => {
    const started = performance.now();
    metrics.inFlight++;
    try {
      await next();
    } finally {
      metrics.inFlight--;
      const known = ["/", "/app.js", "/predict", "/health", "/ready", "/metrics", "/openapi.json"];
      const route = known.includes(context.req.path) ? context.req.path : "other";
      metrics.add(route, context.res.status, (performance.now() - started) / 1000);
    }
  });
  app.use((context, next) => {
    // Before the answer is made: a header that is added to one copies it, and its body goes through a stream.
    context.header("X-Content-Type-Options", "nosniff");
    context.header(
      "Content-Security-Policy",
      "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'",
    );
    return next();
  });

  app.get("/", (context) => context.html(pageOf(predictor, options)));
  app.get("/app.js", (context) => context.body(SCRIPT, 200, { "Content-Type": "text/javascript; charset=utf-8" }));
  app.get("/health", (context) => context.json({ status: "alive" }));
  app.get("/ready", (context) =>
    draining ? context.json({ status: "draining" }, 503) : context.json({ status: "ready" }),
  );
  app.get("/metrics", (context) =>
    context.text(metrics.text(batcher), 200, { "Content-Type": "text/plain; version=0.0.4" }),
  );
  app.get("/openapi.json", (context) => context.json(openApi(predictor, options)));

  app.use("/predict", async (context: Context, next) => {
    if (limit.allows(options.clientOf(context))) return next();
    context.header("Retry-After", "1");
    return problem(context, 429, `more than ${options.rate} requests in a second`);
  });
  const tooLarge = (context: Context): Response =>
    problem(context, 413, `a request has at most ${options.maxBytes} bytes`);
  const counted = bodyLimit({ maxSize: options.maxBytes, onError: tooLarge });
  app.use("/predict", async (context: Context<Env, string>, next) => {
    // Node takes no more bytes than a length says; without one they are counted as they come, which takes a stream.
    const length = context.req.header("content-length");
    if (length === undefined || context.req.header("transfer-encoding") !== undefined) return counted(context, next);
    return Number(length) > options.maxBytes ? tooLarge(context) : next();
  });
  app.post("/predict", async (context: Context) => {
    const type = context.req.header("content-type") ?? "";
    if (!/^application\/json\b/i.test(type)) return problem(context, 415, "the body must be application/json");
    let body: unknown;
    try {
      body = await context.req.json();
    } catch (error) {
      return problem(context, 400, `this is no JSON: ${error instanceof Error ? error.message.slice(0, 200) : ""}`);
    }
    const read = schema.safeParse(body);
    if (!read.success) return problem(context, 400, z.prettifyError(read.error).slice(0, 1000));
    const rows = read.data.rows.map((row) => columns.map((column) => row[column] ?? null));
    try {
      return context.json({ predictions: await batcher.predict(rows, () => options.hasGone(context)) });
    } catch (error) {
      if (!(error instanceof BusyError)) throw error;
      context.header("Retry-After", "1");
      return problem(context, 503, error.message);
    }
  });
  app.all("/predict", (context) => {
    context.header("Allow", "POST");
    return context.json({ error: "predictions are asked for by POST" }, 405);
  });
  app.notFound((context) => context.json({ error: "there is no such address", see: "/openapi.json" }, 404));
  app.onError((error, context) => {
    process.stderr.write(`${error.stack ?? error.message}\n`);
    return problem(context, 500, "the request could not be answered");
  });
  return {
    fetch: app.fetch,
    request: app.request,
    drain: () => {
      draining = true;
    },
  };
}
