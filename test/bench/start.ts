import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { PushMessage } from "./push-message.ts";
import { AUDIENCE, EMAIL } from "./service.ts";
import { exactly, median, spread } from "./statistics.ts";
import type { Row, Section, Target } from "./table.ts";

const REPOSITORY = join(import.meta.dirname, "../..");
const MB = 2 ** 20;

const REPORT = 'import { writeSync } from "node:fs"; writeSync(1, String(process.memoryUsage.rss()));';
/** Programs that write their resident memory, in bytes, when they are done. */
const PROGRAMS = {
  bare: REPORT,
  taskroute: `import "taskroute"; ${REPORT}`,
  service: readFileSync(join(import.meta.dirname, "first-push.ts"), "utf8"),
  pubsub: `import "@google-cloud/pubsub"; ${REPORT}`,
};
type Program = keyof typeof PROGRAMS;
const NAMES = Object.keys(PROGRAMS) as Program[];

const LABELS: Record<Exclude<Program, "bare">, string> = {
  taskroute: 'import "taskroute"',
  service: "service to first 200",
  pubsub: "@google-cloud/pubsub",
};
const MILLISECONDS: Target = { bound: "at most", value: 15 };
const MEGABYTES: Target = { bound: "at most", value: 10 };

interface Start {
  /** From spawning to the end of the process. */
  readonly milliseconds: number;
  readonly megabytes: number;
}

function run(program: Program, push: PushMessage, nodeOptions: readonly string[] = []): string {
  const pushed = JSON.stringify({ ...push, audience: AUDIENCE, email: EMAIL });
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [...nodeOptions, "--input-type=module", "--eval", PROGRAMS[program]],
    { cwd: REPOSITORY, env: { ...process.env, TASKROUTE_BENCH_PUSH: pushed }, encoding: "utf8", timeout: 20_000 },
  );
  if (status !== 0) throw new Error(`start of ${program}: expected exit code 0, got ${status}\n${stderr}`);
  return stdout;
}

function start(program: Program, push: PushMessage): Start {
  const begin = performance.now();
  const output = run(program, push);
  return { milliseconds: performance.now() - begin, megabytes: Number(output) / MB };
}

/** One start of each program, in turn. */
function startAll(push: PushMessage): Record<Program, Start> {
  const [bare, taskroute, service, pubsub] = NAMES.map((name) => start(name, push)) as [Start, Start, Start, Start];
  return { bare, taskroute, service, pubsub };
}

function rows(rounds: readonly Record<Program, Start>[], figure: keyof Start, target: Target): Row[] {
  return (["taskroute", "service", "pubsub"] as const).map((name) => ({
    label: LABELS[name],
    ours: median(rounds.map((round) => round[name][figure])),
    base: median(rounds.map((round) => round.bare[figure])),
    result: spread(rounds.map((round) => round[name][figure] - round.bare[figure])),
    ...(name === "taskroute" ? { target } : {}),
  }));
}

/** Modules whose path names gRPC, among all that the service loads up to its first 200. */
function grpcModules(push: PushMessage): number {
  const recorder = join(REPOSITORY, "test/support/record-loads.ts");
  const loaded = run("service", push, ["--import", recorder]).split("\n");
  if (!loaded.some((url) => url.includes("/google-auth-library/"))) {
    throw new Error("start: expected the modules that the service loads, got a list without google-auth-library");
  }
  return loaded.filter((url) => /grpc/i.test(url)).length;
}

/** What a process pays, in time and memory, for importing the package and for its first push. */
export function benchStart(push: PushMessage, runs: number): Section[] {
  startAll(push);
  const rounds = Array.from({ length: runs }, () => startAll(push));
  const grpc = grpcModules(push);
  return [
    {
      title: "start, ms of a whole process",
      columns: ["process", "bare node", "over"],
      rows: rows(rounds, "milliseconds", MILLISECONDS),
    },
    {
      title: "start, MB resident",
      columns: ["process", "bare node", "over"],
      rows: rows(rounds, "megabytes", MEGABYTES),
    },
    {
      title: "start, modules of gRPC loaded by the service up to its first 200",
      columns: ["modules", "", "modules"],
      rows: [{ label: LABELS.service, ours: grpc, result: exactly(grpc), target: { bound: "at most", value: 0 } }],
    },
  ];
}
