import { execFileSync } from "node:child_process";

/** Builds the package before the first test that needs the build: once, however many projects of the run ask for it. */
export default function build(): void {
  if (process.env.TASKROUTE_BUILT !== undefined) return;
  execFileSync("npm", ["run", "--silent", "build"], { stdio: ["ignore", "inherit", "inherit"] });
  process.env.TASKROUTE_BUILT = "yes";
}
