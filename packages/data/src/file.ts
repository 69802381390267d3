/** Files for readers that cannot take them as a stream. */
import type { AsyncBuffer } from "hyparquet";
import { isNode, type StreamSource } from "torte";

/** The file, where the source is a path of one; its parts are read by opening it anew, so that nothing is left open. */
export async function openFile(source: StreamSource): Promise<AsyncBuffer | undefined> {
  const isPath = typeof source === "string" || source instanceof URL;
  if (!isPath || !isNode() || /^(https?|data|blob):/.test(String(source))) return undefined;
  const { open, stat } = process.getBuiltinModule("node:fs/promises");
  const path = typeof source === "string" && source.startsWith("file:") ? new URL(source) : source;
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() !== true) return undefined;
  return {
    byteLength: found.size,
    slice: async (start, end = found.size) => {
      const handle = await open(path);
      try {
        const length = Math.max(0, Math.min(end, found.size) - start);
        const bytes = new Uint8Array(length);
        const { bytesRead } = await handle.read(bytes, 0, length, start);
        return bytes.slice(0, bytesRead).buffer;
      } finally {
        await handle.close();
      }
    },
  };
}
