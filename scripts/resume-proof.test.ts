/** The short form of `npm run resume-proof`. */
import { expect, it } from "vitest";
import { prove } from "./resume-kills.js";

it("a run that is killed, and goes on, comes to the same, to the bit", { timeout: 400_000 }, async () => {
  let state = 9;
  const random = (): number => (state = (state * 16807) % 2147483647) / 2147483647;
  const { kills, different } = await prove(3, random);
  expect(kills).toHaveLength(3);
  expect(different).toBe(0);
});
