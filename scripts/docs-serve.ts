/** `npm run docs:serve -- [PORT]`: the site that `npm run docs` built, with the headers that give its examples threads. */
import { serve } from "./site/serve.js";

const { address } = await serve(Number(process.argv[2] ?? 4180));
console.log(`the site is at ${address}`);
