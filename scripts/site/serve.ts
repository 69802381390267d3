/** Serves the built site, isolated, so that examples have threads. */
import { preview } from "vite";
import { isolated } from "../browser/chromium.js";
import { root } from "../root.js";

export async function serve(port: number): Promise<{ address: string; stop: () => Promise<void> }> {
  const server = await preview({
    root,
    configFile: false,
    appType: "mpa",
    logLevel: "warn",
    build: { outDir: "site" },
    preview: { port, headers: isolated, host: "127.0.0.1" },
  });
  const [address = ""] = server.resolvedUrls?.local ?? [];
  return { address, stop: () => server.close() };
}
