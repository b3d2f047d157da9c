import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const compiler = fileURLToPath(new URL("../../node_modules/typescript/bin/tsc", import.meta.url));

/** What the compiler reports for the tsconfig.json of `folder`, one line an error, with paths relative to the folder. */
export function typeErrors(folder: string): string[] {
  const args = [compiler, "--project", ".", "--noEmit", "--pretty", "false"];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8" });
  const errors = stdout.split("\n").filter((line) => line.includes("error TS"));
  if (status !== 0 && errors.length === 0) throw new Error(`tsc ended with ${status}: ${stdout}${stderr}`);
  return errors;
}
