import type { Case } from "./case.ts";
import { type PulledMessage, publish, pull, text, textsOf } from "./messages.ts";
import type { Project } from "./side.ts";
import { withSubscription } from "./steps.ts";

interface Opening {
  readonly subscription?: string;
  readonly streamAckDeadlineSeconds?: number;
}

/** One streaming pull. */
class Stream {
  readonly #stream: ReturnType<Project["subscriber"]["streamingPull"]>;
  readonly #received: PulledMessage[] = [];
  readonly #failed: Promise<never>;
  #wake: () => void = () => {};

  constructor({ subscriber, subscriptionName }: Project, opening: Opening = {}) {
    this.#stream = subscriber.streamingPull();
    this.#failed = new Promise((_, reject) => this.#stream.on("error", reject));
    this.#failed.catch(() => {});
    this.#stream.on("data", ({ receivedMessages }: { receivedMessages?: readonly PulledMessage[] }) => {
      this.#received.push(...(receivedMessages ?? []));
      this.#wake();
    });
    this.#stream.write({ subscription: subscriptionName(), streamAckDeadlineSeconds: 10, ...opening });
  }

  /** The next message, or what the stream failed with. */
  async next(): Promise<PulledMessage> {
    for (;;) {
      const message = this.#received.shift();
      if (message !== undefined) return message;
      await Promise.race([this.#failed, new Promise<void>((resolve) => (this.#wake = resolve))]);
    }
  }

  write(request: object): void {
    this.#stream.write(request);
  }

  cancel(): void {
    this.#stream.cancel();
  }
}

/** Opens a stream, and cancels it whatever happens. */
function streaming(use: (stream: Stream, project: Project) => Promise<unknown>, opening: Opening = {}): Case["ask"] {
  return withSubscription(async (project) => {
    const stream = new Stream(project, opening);
    try {
      return await use(stream, project);
    } finally {
      stream.cancel();
    }
  });
}

/** Pulls until nothing is left: an acknowledgement on a stream is not answered. */
async function untilEmpty(project: Project): Promise<string> {
  for (;;) {
    const left = await pull(project, 1, { returnImmediately: true });
    if (left.length === 0) return "nothing is left";
  }
}

const deadline = (streamAckDeadlineSeconds: number, words: string): Case => ({
  what: `is not opened for ${streamAckDeadlineSeconds} s`,
  ask: streaming((stream) => stream.next(), { streamAckDeadlineSeconds }),
  answer: `3 The value for stream_ack_deadline_seconds is out of bounds. You passed ${streamAckDeadlineSeconds} in the request, but the value must be between 10 and 600.`,
  words,
});

/** Streaming pull. */
export const streamCases: readonly Case[] = [
  {
    what: "hands messages out, and takes acknowledgements",
    ask: streaming(async (stream, project) => {
      await publish(project, text("a", { attributes: { k: "v" } }));
      const { ackId, message, deliveryAttempt } = await stream.next();
      stream.write({ ackIds: [ackId] });
      const { data, attributes } = message ?? {};
      return [data, attributes, deliveryAttempt, await untilEmpty(project)];
    }),
    answer: ["a", { k: "v" }, 0, "nothing is left"],
  },
  {
    what: "hands a message out again that is given back",
    ask: streaming(async (stream, project) => {
      await publish(project, text("a"));
      const first = await stream.next();
      stream.write({ modifyDeadlineAckIds: [first.ackId], modifyDeadlineSeconds: [0] });
      return textsOf([first, await stream.next()]);
    }),
    answer: ["a", "a"],
  },
  {
    what: "is not opened without a subscription",
    ask: streaming((stream) => stream.next(), { subscription: "" }),
    answer:
      "3 Invalid resource name given (subscription=). Refer to https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names for more information.",
    words: "3 first message must set subscription",
  },
  {
    what: "is not opened to a subscription that is not there",
    ask: async (project) => {
      const stream = new Stream(project);
      return stream.next();
    },
    answer: "5 Resource not found (resource=orders-sub).",
    words: "5 Subscription does not exist (resource=orders-sub)",
  },
  deadline(0, "3 first message must set stream_ack_deadline_seconds"),
  deadline(9, "3 stream_ack_deadline_seconds must be between 10 and 600 seconds"),
  deadline(601, "3 stream_ack_deadline_seconds must be between 10 and 600 seconds"),
];
