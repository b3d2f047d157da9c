import { ServerProcess } from "./child.ts";
import { load } from "./load.ts";
import { type PushMessage, wireForm } from "./push-message.ts";
import type { Framework, Variant } from "./server.ts";
import { median, spread } from "./statistics.ts";
import type { Row, Section, Target } from "./table.ts";

/** How long to measure. */
export interface PushEffort {
  /** Fresh pairs of servers: what the compiler makes of the same code differs from process to process. */
  readonly launches: number;
  /** Pairs of rounds with each of them. */
  readonly pairs: number;
  /** Of one round, in milliseconds. */
  readonly round: number;
}

/** Connections of the load: more than the server can answer at once, as Pub/Sub keeps them. */
export const CONNECTIONS = 32;
/** Until the compiler has settled. */
const WARM_UP_MS = 2000;

/** Least share of the bare framework's requests a second. */
const RATE: Record<Framework, number> = { "node:http": 0.85, Fastify: 0.9, Express: 0.95 };
/** Most CPU for a request, as a multiple of bare node:http. */
const CPU_TARGET: Target = { bound: "at most", value: 1.25 };

interface Round {
  /** Requests a second. */
  readonly rate: number;
  /** Microseconds of the server's CPU for a request. */
  readonly cpu: number;
  /** Of one core, how much the server had; 1 when nothing else wanted it. */
  readonly share: number;
}

type Pair = Readonly<Record<Variant, Round>>;

async function measure(server: ServerProcess, request: Buffer, milliseconds: number): Promise<Round> {
  const before = await server.cpu();
  const { requests, seconds } = await load({ port: server.port, request, connections: CONNECTIONS, milliseconds });
  const after = await server.cpu();
  const cpu = after - before;
  return { rate: requests / seconds, cpu: cpu / requests, share: cpu / 1e6 / seconds };
}

/** Alternates between the two servers, the first one changing from pair to pair, so that the machine's moods cancel out. */
async function alternate(
  servers: Readonly<Record<Variant, ServerProcess>>,
  request: Buffer,
  { pairs, round }: PushEffort,
): Promise<Pair[]> {
  await measure(servers.taskroute, request, WARM_UP_MS);
  await measure(servers.bare, request, WARM_UP_MS);
  const measured: Pair[] = [];
  while (measured.length < pairs) {
    if (measured.length % 2 === 0) {
      const taskroute = await measure(servers.taskroute, request, round);
      measured.push({ taskroute, bare: await measure(servers.bare, request, round) });
    } else {
      const bare = await measure(servers.bare, request, round);
      measured.push({ taskroute: await measure(servers.taskroute, request, round), bare });
    }
  }
  return measured;
}

async function measurePairs(framework: Framework, push: PushMessage, effort: PushEffort): Promise<Pair[]> {
  const { credentials } = push;
  const request = wireForm(push);
  const launch = () =>
    ServerProcess.during({ framework, variant: "taskroute", credentials }, (taskroute) =>
      ServerProcess.during({ framework, variant: "bare", credentials }, (bare) =>
        alternate({ taskroute, bare }, request, effort),
      ),
    );
  const measured: Pair[] = [];
  for (let count = 0; count < effort.launches; count++) measured.push(...(await launch()));
  return measured;
}

function row(label: string, pairs: readonly Pair[], figure: keyof Round, target?: Target): Row {
  return {
    label,
    ours: median(pairs.map(({ taskroute }) => taskroute[figure])),
    base: median(pairs.map(({ bare }) => bare[figure])),
    result: spread(pairs.map(({ taskroute, bare }) => taskroute[figure] / bare[figure])),
    ...(target === undefined ? {} : { target }),
  };
}

/** Both are measured in the same rounds. */
export interface PushSections {
  readonly rates: Section;
  readonly cpu: Section;
}

/** Says how far requests a second can be believed: on a busy machine less than CPU, which others cannot take away. */
function contention(share: number): string | undefined {
  if (share > 0.95) return undefined;
  return `the servers had ${share.toFixed(2)} of a core: the machine was busy, believe CPU first`;
}

/** The push handler against what one writes by hand: requests a second, and CPU for each of them. */
export async function benchPush(
  frameworks: readonly Framework[],
  push: PushMessage,
  effort: PushEffort,
): Promise<PushSections> {
  const rates: Row[] = [];
  const cpu: Row[] = [];
  const shares: number[] = [];
  for (const framework of frameworks) {
    const pairs = await measurePairs(framework, push, effort);
    shares.push(...pairs.flatMap(({ taskroute, bare }) => [taskroute.share, bare.share]));
    rates.push(row(framework, pairs, "rate", { bound: "at least", value: RATE[framework] }));
    cpu.push(row(framework, pairs, "cpu", framework === "node:http" ? CPU_TARGET : undefined));
  }
  const columns = ["taskroute", "bare", "ratio"] as const;
  return {
    rates: { title: "push handler, requests/s", columns, rows: rates, note: contention(median(shares)) },
    cpu: { title: "push handler, server CPU in µs/request", columns, rows: cpu },
  };
}
