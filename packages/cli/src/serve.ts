/** `torte serve`: a trained model as an HTTP service on this machine. */
import type { AddressInfo } from "node:net";
import { type HttpBindings, serve, type ServerType } from "@hono/node-server";
import { getConnInfo } from "@hono/node-server/conninfo";
import { OptionError } from "torte";
import { readPredictor } from "./model-file.js";
import { RunFolder } from "./run-folder.js";
import { makeApp } from "./serve/app.js";

export interface ServeOptions {
  /** Default 127.0.0.1, which no other machine reaches. */
  readonly host?: string;
  /** 0 for one that is free. Default 8080. */
  readonly port?: number;
  /** Requests of one client in a second. Default 5000. */
  readonly rate?: number;
  /** Bytes of a request. Default 1 MiB. */
  readonly maxBytes?: number;
  /** Rows of a request. Default 1000. */
  readonly maxRows?: number;
  readonly threads?: number;
  readonly quiet?: boolean;
}

/** A request, and its headers alone, must have come after so many milliseconds. */
const SLOWEST_MS = 15_000;
/** Answers that are owed when the service ends are waited for. */
const PATIENCE_MS = 30_000;

/** Runs until it is told to end; then what has been asked is answered, and nothing new is taken. */
export async function serveCommand(run: string, options: ServeOptions, signal: AbortSignal): Promise<void> {
  const predictor = await readPredictor(run, options.threads);
  const { run: record } = await RunFolder.open(run);
  const app = makeApp(predictor, {
    name: record.experiment.name,
    version: record.experiment.sha256.slice(0, 12),
    rate: options.rate ?? 5000,
    maxBytes: options.maxBytes ?? 2 ** 20,
    maxRows: options.maxRows ?? 1000,
    clientOf: (context) => getConnInfo(context).remote.address ?? "",
    hasGone: (context) => (context.env as HttpBindings).outgoing.destroyed,
  });
  const { host = "127.0.0.1", port = 8080 } = options;
  const server = await listening(app.fetch, host, port);
  const address = server.address() as AddressInfo;
  const shown = address.family === "IPv6" ? `[${address.address}]` : address.address;
  if (options.quiet !== true) process.stdout.write(`http://${shown}:${address.port}/ serves ${run}\n`);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
  app.drain();
  await closed(server);
  await predictor.close();
}

function listening(
  fetch: (request: Request) => Response | Promise<Response>,
  hostname: string,
  port: number,
): Promise<ServerType> {
  return new Promise((resolve, reject) => {
    const server = serve(
      {
        fetch,
        hostname,
        port,
        serverOptions: { requestTimeout: SLOWEST_MS, headersTimeout: SLOWEST_MS, keepAliveTimeout: 5000 },
      },
      () => resolve(server),
    );
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(new OptionError({ where: "--port", problem: "the service cannot listen there", received: error.message }));
    });
  });
}

/** Idle connections are cut, those with an answer to come are waited for. */
function closed(server: ServerType): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => {
      if ("closeAllConnections" in server) server.closeAllConnections();
    }, PATIENCE_MS);
    server.close(() => {
      clearTimeout(cut);
      resolve();
    });
    if ("closeIdleConnections" in server) server.closeIdleConnections();
  });
}
