/** Gzip that unpacks to more than data does. */
import { gzipSync } from "node:zlib";
import { readStream } from "torte";
import { expect, it } from "vitest";

const sizeOf = async (bytes: Uint8Array): Promise<number> => {
  let size = 0;
  for await (const part of readStream(bytes, "data.gz")) size += part.length;
  return size;
};

it("ends a bomb early, and unpacks what is only dense", async () => {
  const bomb = gzipSync(new Uint8Array(2 ** 28 + 2 ** 20), { level: 9 });
  await expect(sizeOf(bomb)).rejects.toThrow(
    `data.gz: the gzip unpacks to more than data does: expected at most 500 bytes for each of its own, received more than ${2 ** 28} bytes of ${bomb.length}.`,
  );
  expect(await sizeOf(gzipSync(new Uint8Array(2 ** 25)))).toBe(2 ** 25);
});
