import type { RouteRef } from "../../src/core/declaration.ts";
import { type BodyContent, BodyTooLarge } from "../../src/push/body.ts";
import type { PushRequest } from "../../src/push/request.ts";

/** Request headers by their lower-case names. */
export type PushHeaders = Readonly<Record<string, string>>;

/** A push as a test writes it; by default a POST without headers or body. */
export interface Push {
  readonly method?: string;
  readonly headers?: PushHeaders;
  readonly body?: BodyContent;
}

/** A request as an adapter makes it, which counts how often its body was read. */
export class FakeRequest implements PushRequest {
  readonly method: string;
  reads = 0;
  readonly #push: Push;

  constructor(push: Push) {
    this.#push = push;
    this.method = push.method ?? "POST";
  }

  readonly header = (name: string): string | undefined => this.#push.headers?.[name];

  body(limit: number): BodyContent {
    this.reads += 1;
    const { body } = this.#push;
    if (body instanceof Uint8Array && body.length > limit) throw new BodyTooLarge(limit);
    return body;
  }
}

/** An envelope for a task, as JSON carries it. */
export function envelope(
  to: Pick<RouteRef<string, never>, "path"> | string,
  kwargs: unknown,
  overrides: object = {},
): object {
  const path = typeof to === "string" ? to : to.path;
  return {
    task_id: "task-1",
    task_name: path.slice(path.lastIndexOf(".") + 1),
    args: [],
    kwargs,
    enqueued_at: "2026-03-01T11:59:58+00:00",
    ...overrides,
  };
}

/**
 * A wrapped Pub/Sub push body around some content: bytes or text as they are, anything else as JSON.
 * https://cloud.google.com/pubsub/docs/push#receive_push
 */
export function wrapped(content: unknown, message: object = {}, outer: object = {}): object {
  const bytes = content instanceof Uint8Array || typeof content === "string" ? content : JSON.stringify(content);
  return {
    message: {
      data: Buffer.from(bytes).toString("base64"),
      messageId: "2070443601311540",
      message_id: "2070443601311540",
      publishTime: "2026-03-01T11:59:59.749Z",
      publish_time: "2026-03-01T11:59:59.749Z",
      ...message,
    },
    subscription: "projects/myproject/subscriptions/mysubscription",
    ...outer,
  };
}
