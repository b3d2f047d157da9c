import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { assertFreshBuild } from "./build.ts";
import { runChild, ServerProcess } from "./child.ts";
import { type CpuProfile, type SelfTime, selfTimes } from "./cpu-profile.ts";
import type { Job } from "./engine-worker.ts";
import { load } from "./load.ts";
import { CONNECTIONS } from "./push.ts";
import { createPushMessage, wireForm } from "./push-message.ts";
import { RivalProcess } from "./rival-process.ts";

// node test/bench/profile.ts [--only push,engine,durable]: where the push handler and the engine spend their time, in
// memory and on a file, by self time.

const LINES = 25;

/** Runs something under node's profiler and reads the one profile that it leaves. */
async function profiled(run: (execArgv: readonly string[]) => Promise<unknown>): Promise<CpuProfile> {
  const folder = mkdtempSync(join(tmpdir(), "taskroute-profile-"));
  try {
    await run(["--cpu-prof", "--cpu-prof-interval=250", `--cpu-prof-dir=${folder}`]);
    const [file] = readdirSync(folder);
    if (file === undefined) throw new Error("profile: expected a .cpuprofile, got none");
    return JSON.parse(readFileSync(join(folder, file), "utf8"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function profilePush(execArgv: readonly string[]): Promise<void> {
  const push = await createPushMessage();
  const { credentials } = push;
  const request = wireForm(push);
  await ServerProcess.during({ framework: "node:http", variant: "taskroute", credentials, execArgv }, ({ port }) =>
    load({ port, request, connections: CONNECTIONS, milliseconds: 8000 }),
  );
}

function profileEngine(execArgv: readonly string[]): Promise<unknown> {
  const job: Job = { kind: "throughput", queue: "client", sizes: [10_000], rounds: 15, tasksPerRound: 100_000 };
  return runChild("engine-worker.ts", job, execArgv);
}

/** The local engine on a file. */
async function profileDurable(execArgv: readonly string[]): Promise<void> {
  const process = new RivalProcess("normal", { execArgv });
  await process.measure({ tasks: 10_000, batches: 30, bulk: 0, together: 0, inTurn: 0 });
  await process.close();
}

/** Whose code a function is. */
function ownerOf({ place }: SelfTime): string {
  if (place === "") return "V8: collector, native code";
  if (place.startsWith("node:")) return "Node";
  if (place.startsWith("src/")) return "taskroute";
  return place.startsWith("test/") ? "benchmark" : "packages";
}

function print(title: string, entries: readonly SelfTime[]): void {
  const total = entries.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  const share = (milliseconds: number) => `${((milliseconds / total) * 100).toFixed(1).padStart(6)} %`;
  const owners = new Map<string, number>();
  for (const entry of entries) {
    owners.set(ownerOf(entry), (owners.get(ownerOf(entry)) ?? 0) + entry.milliseconds);
  }
  console.log(`\n${title}, ${Math.round(total)} ms busy`);
  for (const [owner, milliseconds] of owners) console.log(`${share(milliseconds)}  ${owner}`);
  console.log(`\n  self time of the top ${LINES} functions`);
  for (const { name, place, milliseconds } of entries.slice(0, LINES)) {
    console.log(`${share(milliseconds)}  ${name.padEnd(28)} ${place}`);
  }
}

const PROFILES = {
  push: { title: "push handler on node:http under load", run: profilePush },
  engine: { title: "engine, createTasks with 10,000 queued", run: profileEngine },
  durable: { title: "engine on a file with NORMAL, 10,000 tasks at a time", run: profileDurable },
};

assertFreshBuild();
const { values } = parseArgs({ options: { only: { type: "string" } } });
const named = values.only?.split(",") ?? Object.keys(PROFILES);
for (const [name, { title, run }] of Object.entries(PROFILES)) {
  if (named.includes(name)) print(title, selfTimes(await profiled(run)));
}
