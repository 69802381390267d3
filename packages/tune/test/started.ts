/** A process of Node that the tests start, and what it says until its end. */
import { type ChildProcess, spawn } from "node:child_process";

export interface Started {
  readonly child: ChildProcess;
  readonly exit: Promise<{ readonly code: number | null; readonly output: string; readonly complaint: string }>;
  readonly isOver: () => boolean;
}

export function start(args: readonly string[], cwd?: string): Started {
  const child = spawn(process.execPath, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
  const [output, complaint]: [string[], string[]] = [[], []];
  child.stdout.on("data", (data: Buffer) => output.push(data.toString()));
  child.stderr.on("data", (data: Buffer) => complaint.push(data.toString()));
  let over = false;
  const exit = new Promise<Awaited<Started["exit"]>>((resolve) => {
    child.on("close", (code) => {
      over = true;
      resolve({ code, output: output.join(""), complaint: complaint.join("") });
    });
  });
  return { child, exit, isOver: () => over };
}
