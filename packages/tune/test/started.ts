/** A process of Node that the tests start, and what it says until its end. */
import { type ChildProcess, spawn } from "node:child_process";

export interface Started {
  readonly child: ChildProcess;
  readonly exit: Promise<{ readonly code: number | null; readonly output: string; readonly complaint: string }>;
  readonly isOver: () => boolean;
}

export interface StartOptions {
  readonly cwd?: string;
  /** Variables of the environment, beside those of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** What starts it, and its arguments, such as `ip netns exec one`. */
  readonly by?: readonly string[];
}

export function start(args: readonly string[], { cwd, env = {}, by = [] }: StartOptions = {}): Started {
  const [program = process.execPath, ...all] = [...by, process.execPath, ...args];
  const child = spawn(program, all, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
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
