import type { ChildProcess } from "node:child_process";
import { message, startChild } from "./child.ts";
import type { Listening } from "./null-pubsub.ts";
import type { PublishClient, PublishJob, PublishRates, SoakJob, SoakSample } from "./publish-worker.ts";
import { RivalProcess } from "./rival-process.ts";
import { absence } from "./rivals/servers.ts";
import { exactly, median, slope, spread } from "./statistics.ts";
import type { Row, Section, Target } from "./table.ts";

/** How long to measure. */
export interface PublishEffort {
  /** Rounds in which all take their turn. */
  readonly turns: number;
  /** Seconds of a soak. */
  readonly soak: number;
}

/** About a second each. A lone message takes Google's client 12 ms, for most of which it waits for others. */
const OURS: PublishJob = { inTurn: 2000, together: 50_000, bulk: 100_000 };
const THEIRS: PublishJob = { inTurn: 80, together: 5000, bulk: 100_000 };
/** What BullMQ adds singly, 64 calls under way. */
const BULL_MQ = { tasks: 0, batches: 0, bulk: 0, together: 20_000, inTurn: 0 };
/** BullMQ's `add` with 64 calls under way, on the machine of the reference, where there is no Redis to measure it. */
const BULL_MQ_RATE = 36_000;

const LABELS: Record<keyof PublishJob, string> = {
  inTurn: "one after the other",
  together: "64 under way",
  bulk: "in bulk",
};
const TARGETS: Partial<Record<keyof PublishJob, number>> = { inTurn: 10, bulk: 1.2 };

const NOTES = [
  "taskroute: createTasks(…).enqueue and enqueueMany, payloads checked by zod, backend pubsub()",
  "bare: topic.publishMessage of @google-cloud/pubsub with its default batching, topic kept, no checks",
  "Each in a process of its own, against a gRPC server in a third that accepts everything at once.",
];

/** A client in a process of its own. */
class PublishProcess {
  readonly #child: ChildProcess;

  constructor(client: PublishClient, execArgv: readonly string[] = []) {
    this.#child = startChild("publish-worker.ts", [client], execArgv);
  }

  async run<T>(job: PublishJob | SoakJob): Promise<T> {
    const answer = message<T>(this.#child);
    this.#child.send(job);
    return answer;
  }

  close(): void {
    if (this.#child.connected) this.#child.disconnect();
  }
}

/** Lets clients that are started meanwhile publish to a server that accepts everything. */
async function withServer<T>(use: () => Promise<T>): Promise<T> {
  const server = startChild("null-pubsub.ts", [], []);
  const { port } = await message<Listening>(server);
  // Google's client would look for the metadata server of a machine of Google Cloud.
  process.env.METADATA_SERVER_DETECTION ??= "none";
  const before = process.env.PUBSUB_EMULATOR_HOST;
  process.env.PUBSUB_EMULATOR_HOST = `127.0.0.1:${port}`;
  try {
    return await use();
  } finally {
    if (before === undefined) delete process.env.PUBSUB_EMULATOR_HOST;
    else process.env.PUBSUB_EMULATOR_HOST = before;
    server.disconnect();
  }
}

interface Round {
  readonly ours: PublishRates;
  readonly theirs: PublishRates;
  /** BullMQ's, 64 calls under way; `undefined` without Redis. */
  readonly bullMq: number | undefined;
}

async function contest(turns: number): Promise<Round[]> {
  const [ours, theirs] = [new PublishProcess("taskroute"), new PublishProcess("bare")];
  const bullMq = (await absence("Redis")) === undefined ? new RivalProcess("bullMq") : undefined;
  const round = async (): Promise<Round> => ({
    ours: await ours.run<PublishRates>(OURS),
    theirs: await theirs.run<PublishRates>(THEIRS),
    bullMq: (await bullMq?.measure(BULL_MQ))?.together,
  });
  const rounds: Round[] = [];
  try {
    await round();
    for (let turn = 0; turn < turns; turn++) rounds.push(await round());
  } finally {
    ours.close();
    theirs.close();
    await bullMq?.close();
  }
  return rounds;
}

function ratioRow(rounds: readonly Round[], kind: keyof PublishJob): Row {
  const value = TARGETS[kind];
  return {
    label: LABELS[kind],
    ours: median(rounds.map(({ ours }) => ours[kind])),
    base: median(rounds.map(({ theirs }) => theirs[kind])),
    result: spread(rounds.map(({ ours, theirs }) => ours[kind] / theirs[kind])),
    ...(value === undefined ? {} : { target: { bound: "at least", value } }),
  };
}

function bullMqRow(rounds: readonly Round[]): Row {
  const rates = rounds.map(({ bullMq }) => bullMq ?? BULL_MQ_RATE);
  return {
    label: rounds[0]?.bullMq === undefined ? "64, BullMQ elsewhere" : "64, against BullMQ",
    ours: median(rounds.map(({ ours }) => ours.together)),
    base: median(rates),
    result: spread(rounds.map(({ ours }, turn) => ours.together / (rates[turn] ?? BULL_MQ_RATE))),
    target: { bound: "at least", value: 1 },
  };
}

/** Publishing to Pub/Sub through a client of ours, beside Google's alone and, where Redis is, BullMQ's `add`. */
export function benchPublish({ turns }: PublishEffort): Promise<Section[]> {
  return withServer(async () => {
    const rounds = await contest(turns);
    return [
      {
        title: "publish, messages a second until accepted",
        columns: ["taskroute", "bare", "ratio"],
        rows: [...(["inTurn", "together", "bulk"] as const).map((kind) => ratioRow(rounds, kind)), bullMqRow(rounds)],
        note: NOTES.join("\n  "),
      },
    ];
  });
}

const MB = 2 ** 20;
/** Share of a soak at its beginning that is not looked at: caches fill and code is compiled. */
const SETTLING = 0.2;

/** Megabytes by which memory grew, by the line through all samples: about nothing, whatever one sample holds. */
function growthRow(
  label: string,
  samples: readonly SoakSample[],
  bytes: (sample: SoakSample) => number,
  most: number,
): Row {
  const settled = samples.slice(Math.floor(samples.length * SETTLING));
  const seconds = (settled.at(-1)?.seconds ?? 0) - (settled[0]?.seconds ?? 0);
  const growth = slope(settled.map((sample) => [sample.seconds, bytes(sample) / MB] as const)) * seconds;
  const target: Target = { bound: "at most", value: most };
  const third = Math.ceil(settled.length / 3);
  const middle = (part: readonly SoakSample[]) => median(part.map((sample) => bytes(sample) / MB));
  return {
    label,
    ours: middle(settled.slice(-third)),
    base: middle(settled.slice(0, third)),
    result: exactly(growth),
    target,
  };
}

/** Publishes at full speed for minutes, and looks whether memory grows. */
export function benchSoak({ soak }: PublishEffort): Promise<Section[]> {
  return withServer(async () => {
    const client = new PublishProcess("taskroute", ["--expose-gc"]);
    try {
      const samples = await client.run<SoakSample[]>({ seconds: soak });
      const last = samples.at(-1);
      const [messages, seconds] = [last?.messages ?? 0, last?.seconds ?? 1];
      return [
        {
          title: `soak, megabytes in ${Math.round(seconds)} s of publishing ${(messages / 1e6).toFixed(1)} million messages`,
          columns: ["last third", "first", "growth"],
          rows: [
            growthRow("heap, collected", samples, ({ heap }) => heap, 2),
            growthRow("whole process", samples, ({ resident }) => resident, 20),
          ],
          note: `${Math.round(messages / seconds)} messages/s; the first fifth of the time is left out`,
        },
      ];
    } finally {
      client.close();
    }
  });
}
