import { writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { assertFreshBuild } from "./build.ts";
import { benchDurable } from "./durable.ts";
import { benchEngine } from "./engine.ts";
import { benchProvision } from "./provision.ts";
import { benchPublish, benchSoak } from "./publish.ts";
import { benchPush, CONNECTIONS } from "./push.ts";
import { createPushMessage, type PushMessage } from "./push-message.ts";
import { benchRivals } from "./rivals.ts";
import { benchStart } from "./start.ts";
import { isMet, render, type Section } from "./table.ts";

const USAGE = `npm run bench -- [options]

  --only push,cpu,import,engine,durable,queues,publish,provision   measure only these
  --only soak                                                      publish for ten minutes, and look at memory
  --quick                                                          fewer and shorter rounds: for a look, not for figures
  --json FILE                                                      write the figures there as well`;

/** The last one is only measured when it is named. */
const PARTS = ["push", "cpu", "import", "engine", "durable", "queues", "publish", "provision", "soak"] as const;
type Part = (typeof PARTS)[number];

const FULL = {
  launches: 4,
  pairs: 12,
  round: 250,
  starts: 15,
  rounds: 7,
  deliveries: 1_000_000,
  waiting: 1_000_000,
  turns: 5,
  soak: 600,
  routes: 1000,
  plans: 7,
};
const QUICK = {
  launches: 1,
  pairs: 6,
  round: 250,
  starts: 5,
  rounds: 3,
  deliveries: 200_000,
  waiting: 100_000,
  turns: 2,
  soak: 45,
  routes: 100,
  plans: 3,
};
type Effort = typeof FULL;

/** Milliseconds after which the run is ended, whatever it is doing; its children end with it. */
const TIME_LIMIT = 540_000;

interface Options {
  readonly parts: ReadonlySet<Part>;
  readonly effort: Effort;
  readonly json: string | undefined;
}

/** Ends the process with the usage for an option or part that does not exist. */
function readOptions(): Options {
  try {
    const { values } = parseArgs({
      options: { only: { type: "string" }, quick: { type: "boolean" }, json: { type: "string" } },
    });
    const named = values.only?.split(",") ?? PARTS.slice(0, -1);
    const parts = PARTS.filter((part) => named.includes(part));
    if (parts.length < named.length) throw new Error(`--only: expected of ${PARTS.join(",")}, got ${values.only}`);
    return { parts: new Set(parts), effort: values.quick ? QUICK : FULL, json: values.json };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    process.exit(2);
  }
}

async function measurePush(parts: Options["parts"], push: PushMessage, effort: Effort): Promise<Section[]> {
  const frameworks = parts.has("push") ? (["node:http", "Express", "Fastify"] as const) : (["node:http"] as const);
  const { rates, cpu } = await benchPush(frameworks, push, effort);
  return [...(parts.has("push") ? [rates] : []), ...(parts.has("cpu") ? [cpu] : [])];
}

/** Measures part by part, printing each as soon as it is there. */
async function measure({ parts, effort }: Options): Promise<Section[]> {
  const push = await createPushMessage();
  const sections: Section[] = [];
  const print = (measured: readonly Section[]) => {
    for (const section of measured) console.log(`\n${render(section)}`);
    sections.push(...measured);
  };
  if (parts.has("import")) print(benchStart(push, effort.starts));
  if (parts.has("push") || parts.has("cpu")) print(await measurePush(parts, push, effort));
  if (parts.has("engine")) print(await benchEngine(push, effort));
  if (parts.has("durable")) print(await benchDurable(effort));
  if (parts.has("queues")) print(await benchRivals(effort));
  if (parts.has("publish")) print(await benchPublish(effort));
  if (parts.has("provision")) print(await benchProvision(effort));
  if (parts.has("soak")) print(await benchSoak(effort));
  return sections;
}

/** What the figures depend on besides the code. */
function machine(): { node: string; processor: string; load: number } {
  const processor = `${availableParallelism()} × ${cpus()[0]?.model.trim() ?? "unknown"}`;
  return { node: process.version, processor, load: loadavg()[0] ?? 0 };
}

function printHeader(effort: Effort): void {
  const { node, processor, load } = machine();
  console.log(`Node ${node} on ${processor}, load average ${load.toFixed(2)}`);
  const { launches, pairs, round, starts, rounds, turns } = effort;
  console.log(`push: ${CONNECTIONS} connections, ${launches} × ${pairs} pairs of ${round} ms, in turn`);
  console.log(`start: ${starts} of each, in turn; engine, durable: ${rounds} rounds of each, in turn; medians`);
  console.log(`queues: ${turns} rounds in which each has its turn; Redis and PostgreSQL at REDIS_URL and DATABASE_URL`);
  console.log(`publish: ${turns} rounds in which each has its turn`);
}

function printVerdict(sections: readonly Section[]): void {
  const met = sections.flatMap(({ rows }) => rows.map(isMet)).filter((verdict) => verdict !== undefined);
  const load = machine().load.toFixed(2);
  console.log(`\n${met.filter(Boolean).length} of ${met.length} targets met; load average at the end ${load}`);
}

function writeJson(file: string, sections: readonly Section[]): void {
  writeFileSync(file, `${JSON.stringify({ date: new Date().toISOString(), ...machine(), sections }, undefined, 2)}\n`);
}

async function main(options: Options): Promise<void> {
  assertFreshBuild();
  const limit = TIME_LIMIT + (options.parts.has("soak") ? options.effort.soak * 1000 : 0);
  setTimeout(() => {
    console.error(`bench: expected to end within ${limit / 1000} s, got no end`);
    process.exit(1);
  }, limit).unref();
  printHeader(options.effort);
  const sections = await measure(options);
  printVerdict(sections);
  if (options.json !== undefined) writeJson(options.json, sections);
}

await main(readOptions()).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
