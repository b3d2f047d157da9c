import { describe, expect, it } from "vitest";
import { TaskRoute } from "../../src/core/route.ts";
import { decodeDelivery, decodePayload } from "../../src/push/decode.ts";
import { envelope, type PushHeaders, wrapped } from "../support/push.ts";
import { refusalOf } from "../support/refusal.ts";

const RECEIVED_AT = 1_772_366_400_000;
const mail = new TaskRoute({ path: "accounts.mail", run: () => {} });
const message = envelope(mail, { userId: "42" });
const tick = envelope(mail, {}, { task_id: "scheduled-mail", enqueued_at: undefined });

const UUID = /^[0-9a-f-]{36}$/;
const lookup =
  (headers: PushHeaders = {}) =>
  (name: string): string | undefined =>
    headers[name];
const delivery = (body: object, headers?: PushHeaders) => decodeDelivery(body, lookup(headers), RECEIVED_AT);
const payload = (body: object | undefined, headers?: PushHeaders) =>
  decodePayload(mail, body, lookup(headers), RECEIVED_AT);

const dispatched = { "x-cloudtasks-taskname": "task-name-9", "x-cloudtasks-queuename": "mail" };
const scheduled = {
  "x-cloudscheduler": "true",
  "x-cloudscheduler-jobname": "nightly",
  "x-cloudscheduler-scheduletime": "2026-03-01T09:00:00Z",
};
const unwrapped = {
  "x-goog-pubsub-message-id": "2070443601311540",
  "x-goog-pubsub-publish-time": "2026-03-01T11:59:59.749Z",
  "x-goog-pubsub-subscription-name": "projects/p/subscriptions/s",
};

describe("a push of an envelope", () => {
  const common = {
    taskId: "task-1",
    taskName: "mail",
    args: [],
    kwargs: { userId: "42" },
    enqueuedAt: "2026-03-01T11:59:58+00:00",
    scheduled: false,
    scheduledFor: undefined,
    receivedAt: RECEIVED_AT,
  };
  const publishTime = "2026-03-01T11:59:59.749Z";
  const pubsub = {
    ...common,
    transport: "pubsub",
    messageId: "2070443601311540",
    attempt: 1,
    publishTime,
    attributes: {},
  };
  const attributes = { key: "value" };

  const cases: readonly [what: string, body: object, headers: PushHeaders | undefined, delivery: object][] = [
    ["wrapped", wrapped(message), undefined, pubsub],
    ["wrapped, with attributes", wrapped(message, { attributes }), undefined, { ...pubsub, attributes }],
    [
      "wrapped, with an ordering key",
      wrapped(message, { orderingKey: "a" }),
      undefined,
      { ...pubsub, orderingKey: "a" },
    ],
    ["wrapped, with an empty ordering key", wrapped(message, { orderingKey: "" }), undefined, pubsub],
    [
      "unwrapped, with an ordering key",
      message,
      { ...unwrapped, "x-goog-pubsub-ordering-key": "a" },
      { ...pubsub, orderingKey: "a" },
    ],
    ["wrapped, with attributes null", wrapped(message, { attributes: null }), undefined, pubsub],
    [
      "wrapped, in snake case alone",
      wrapped(message, { messageId: undefined, publishTime: undefined }),
      undefined,
      pubsub,
    ],
    [
      "wrapped, in camel case alone",
      wrapped(message, { message_id: undefined, publish_time: undefined }),
      undefined,
      pubsub,
    ],
    [
      "wrapped, at its fifth delivery",
      wrapped(message, {}, { deliveryAttempt: 5 }),
      undefined,
      { ...pubsub, attempt: 5 },
    ],
    [
      "wrapped, of a scheduler",
      wrapped(tick),
      undefined,
      { ...pubsub, taskId: "scheduled-mail", kwargs: {}, enqueuedAt: undefined, scheduled: true },
    ],
    ["unwrapped, with metadata", message, unwrapped, pubsub],
    ["unwrapped, without", message, undefined, { ...pubsub, messageId: "task-1", publishTime: undefined }],
    [
      "of Cloud Tasks",
      message,
      dispatched,
      {
        ...common,
        transport: "cloud-tasks",
        messageId: "task-name-9",
        attempt: 1,
        dispatch: { count: 1, queue: "mail", priority: undefined },
        publishTime: undefined,
        attributes: {},
      },
    ],
    [
      "of Cloud Scheduler",
      tick,
      scheduled,
      {
        transport: "scheduler",
        messageId: "nightly-2026-03-01T09:00:00Z",
        scheduled: true,
        scheduledFor: new Date("2026-03-01T09:00:00Z"),
        attempt: 1,
      },
    ],
  ];

  it.each(cases)("%s is a delivery", (_what, body, headers, expected) => {
    expect(delivery(body, headers)).toMatchObject(expected);
  });

  it("without data is malformed, for an envelope is needed", () => {
    expect(refusalOf(() => delivery(wrapped("")), "MALFORMED_MESSAGE")).toBe(
      "message: expected an envelope, got no data",
    );
  });

  it.each(["", undefined, 5])("is malformed when its message id is %j", (id) => {
    const body = wrapped(message, { messageId: id, message_id: id });
    expect(refusalOf(() => delivery(body), "MALFORMED_MESSAGE")).toContain("expected messageId to be a text");
  });
});

describe("the attempt of a delivery", () => {
  const carried = (value: string): object => wrapped(message, { attributes: { "taskroute-carried-attempts": value } });
  const CARRIED = "taskroute-carried-attempts";
  const counted = (retries: number, executions: number | string): PushHeaders => ({
    ...dispatched,
    "x-cloudtasks-taskretrycount": String(retries),
    "x-cloudtasks-taskexecutioncount": String(executions),
  });
  const wrappedAt = (deliveryAttempt: unknown, value: string): object => ({ ...carried(value), deliveryAttempt });

  const cases: readonly [what: string, body: object, headers: PushHeaders | undefined, attempt: number][] = [
    ["of Pub/Sub without a dead-letter policy", wrapped(message), undefined, 1],
    ["of Pub/Sub", wrapped(message, {}, { deliveryAttempt: 7 }), undefined, 7],
    ["is at least 1: 0", wrapped(message, {}, { deliveryAttempt: 0 }), undefined, 1],
    ["is at least 1: -5", wrapped(message, {}, { deliveryAttempt: -5 }), undefined, 1],
    ["is a whole number: 2.5", wrapped(message, {}, { deliveryAttempt: 2.5 }), undefined, 1],
    ['is a number: "7"', wrapped(message, {}, { deliveryAttempt: "7" }), undefined, 1],
    ["carried along", carried("3"), undefined, 4],
    ["carried along beside the transport's", wrappedAt(2, "3"), undefined, 5],
    ["less deliveries that did not count", wrappedAt(5, "-3"), undefined, 2],
    ["is at least 1, whatever is carried", wrappedAt(2, "-9"), undefined, 1],
    ["carried as nonsense", wrappedAt(2, "many"), undefined, 2],
    ["carried as a fraction", wrappedAt(2, "1.5"), undefined, 2],
    ["carried as infinity", wrappedAt(2, "Infinity"), undefined, 2],
    ["carried beyond what can be", wrappedAt(2, "1000000001"), undefined, 2],
    ["carried as nothing", wrappedAt(2, ""), undefined, 2],
    ["of Cloud Tasks at first", message, { ...dispatched, "x-cloudtasks-taskretrycount": "0" }, 1],
    ["of Cloud Tasks", message, { ...dispatched, "x-cloudtasks-taskretrycount": "4" }, 5],
    ["of Cloud Tasks, negative", message, { ...dispatched, "x-cloudtasks-taskretrycount": "-4" }, 1],
    ["of Cloud Tasks, nonsense", message, { ...dispatched, "x-cloudtasks-taskretrycount": "x" }, 1],
    [
      "of Cloud Tasks, carried along",
      message,
      { ...dispatched, "x-cloudtasks-taskretrycount": "1", [CARRIED]: "3" },
      5,
    ],
    ["of Cloud Tasks, less what was answered without counting", message, counted(6, 4), 3],
    ["of Cloud Tasks, all of it answered without counting", message, counted(6, 6), 1],
    ["of Cloud Tasks, of a process that was killed each time", message, counted(6, 0), 7],
    ["of Cloud Tasks, answered more often than sent", message, counted(2, 5), 1],
    ["of Cloud Tasks, answered a nonsense of times", message, counted(2, "many"), 3],
    ["of Cloud Tasks, carried along, less what did not count", message, { ...counted(6, 4), [CARRIED]: "3" }, 6],
    ["of an unwrapped push, carried along", message, { ...unwrapped, [CARRIED]: "3" }, 4],
    ["of Cloud Scheduler", tick, scheduled, 1],
  ];

  it.each(cases)("%s", (_what, body, headers, attempt) => {
    expect(delivery(body, headers).attempt).toBe(attempt);
  });
});

describe("a dispatch of Cloud Tasks", () => {
  const of = (headers: PushHeaders) => delivery(message, { ...dispatched, ...headers }).dispatch;

  it("tells how often it was sent, whatever came of that, its queue and its priority", () => {
    expect(of({})).toEqual({ count: 1, queue: "mail", priority: undefined });
    const headers = { "x-cloudtasks-taskretrycount": "6", "x-cloudtasks-taskexecutioncount": "4" };
    expect(of({ ...headers, "taskroute-priority": "high" })).toEqual({ count: 7, queue: "mail", priority: "high" });
  });

  it("tells it of a payload as well, and no other transport does", () => {
    expect(payload({}, dispatched).dispatch).toMatchObject({ count: 1 });
    for (const headers of [undefined, unwrapped, scheduled])
      expect(delivery(message, headers).dispatch).toBeUndefined();
  });
});

describe("a push for one route, whose body is the payload", () => {
  const content = { userId: "42" };
  const cases: readonly [what: string, body: object | undefined, headers: PushHeaders | undefined, delivery: object][] =
    [
      [
        "of Cloud Tasks",
        content,
        dispatched,
        { taskId: "task-name-9", transport: "cloud-tasks", kwargs: content, scheduled: false },
      ],
      ["of Cloud Tasks, without a body", undefined, dispatched, { taskId: "task-name-9", kwargs: {} }],
      [
        "of Cloud Scheduler",
        content,
        scheduled,
        { taskId: "nightly-2026-03-01T09:00:00Z", scheduled: true, kwargs: content },
      ],
      [
        "of Pub/Sub, wrapped",
        wrapped(content),
        undefined,
        { taskId: "2070443601311540", transport: "pubsub", kwargs: content },
      ],
      ["of Pub/Sub, wrapped, without data", wrapped(""), undefined, { taskId: "2070443601311540", kwargs: {} }],
      ["of Pub/Sub, unwrapped", content, unwrapped, { taskId: "2070443601311540", kwargs: content }],
      ["of a caller of one's own", content, undefined, { taskId: expect.stringMatching(UUID), kwargs: content }],
    ];

  it.each(cases)("%s", (_what, body, headers, expected) => {
    expect(payload(body, headers)).toMatchObject({
      taskName: "mail",
      args: [],
      enqueuedAt: undefined,
      receivedAt: RECEIVED_AT,
      ...expected,
    });
  });

  it.each([dispatched, scheduled, unwrapped])(
    "may have a message of its own, as headers say what it is: %j",
    (headers) => {
      const own = { message: { text: "hi" } };
      expect(payload(own, headers).kwargs).toEqual(own);
    },
  );

  it("of a scheduler without a time is a run of its own each time", () => {
    const headers = { "x-cloudscheduler": "true" };
    const ids = [payload({}, headers), payload({}, headers)].map(({ taskId }) => taskId);
    expect(ids[0]).toMatch(/^job-/);
    expect(ids[0]).not.toBe(ids[1]);
  });

  it.each([[[1]], ['"text"'], [5], [null]])("is malformed when it is %j", (content) => {
    expect(refusalOf(() => payload(wrapped(content)), "MALFORMED_MESSAGE")).toContain("expected an object or nothing");
  });

  it("is malformed when it reaches a prototype", () => {
    const hostile = JSON.parse('{"a":{"__proto__":{"admin":true}}}') as object;
    expect(refusalOf(() => payload(hostile, dispatched), "MALFORMED_MESSAGE")).toContain("reach a prototype");
  });
});
