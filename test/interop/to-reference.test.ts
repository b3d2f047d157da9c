import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeEnvelope, encodeScheduledEnvelope } from "../../src/core/envelope.ts";
import { Busy, RetryAfter } from "../../src/core/errors.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { decodeDelivery } from "../../src/push/decode.ts";
import { createPushedScene } from "../backends/pushed-scene.ts";
import { closeScenes } from "../backends/scene.ts";
import { payloads } from "../support/payloads.ts";
import { wrapped } from "../support/push.ts";
import { createScene } from "../support/scene.ts";
import { fromIsoFormat, type PythonTask, receiveInPython } from "./reference.ts";

closeScenes();

const UUID_4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const tasksOfReference: Readonly<Record<string, PythonTask>> = {
  send_welcome_email: { parameters: ["user_id", "message"] },
  send_daily_report: {},
  anything: { keywords: true },
};

const push = (data: string): string => JSON.stringify(wrapped(data));
const receive = (data: string) => receiveInPython(push(data), tasksOfReference);

describe("what we publish", () => {
  it("is a call of the reference's function", async () => {
    const { options, clock, sent } = createScene();
    const route = new TaskRoute({ path: "gyrinx.core.tasks.send_welcome_email", run: () => {} });
    const tasks = createTasks({ ...options, routes: [route] });
    const { id } = await tasks.enqueue(route, { user_id: "42", message: "Zoë 🎈" });
    expect(id).toMatch(UUID_4);
    const [task] = sent;
    const data = encodeEnvelope({
      id,
      name: route.name,
      payloadJson: task?.payloadJson ?? "",
      enqueuedAt: task?.enqueuedAt ?? 0,
    });
    expect(receive(data)).toEqual({
      status: 200,
      call: {
        taskId: id,
        taskName: "send_welcome_email",
        args: [],
        kwargs: { user_id: "42", message: "Zoë 🎈" },
        enqueuedAt: clock.now(),
      },
    });
  });

  it("at every tick of a schedule is what its own scheduler sends", () => {
    const data = encodeScheduledEnvelope("send_daily_report", "{}");
    expect(Object.keys(JSON.parse(data))).toEqual(["task_id", "task_name", "args", "kwargs"]);
    expect(receive(data)).toEqual({
      status: 200,
      call: {
        taskId: "scheduled-send_daily_report",
        taskName: "send_daily_report",
        args: [],
        kwargs: {},
        enqueuedAt: undefined,
      },
    });
  });

  it("arrives in Python as it was given, and here again, whatever the payload", () => {
    const moment = fc.date({ min: new Date(0), max: new Date("9999-12-31T23:59:59.999Z"), noInvalidDate: true });
    const route = new TaskRoute({ path: "x.anything", run: () => {} });
    const { options, sent } = createScene();
    const tasks = createTasks({ ...options, routes: [route] });
    return fc.assert(
      fc.asyncProperty(payloads, fc.uuid({ version: 4 }), moment, async (payload, id, date) => {
        await tasks.enqueue(route, payload, { id });
        const payloadJson = sent.pop()?.payloadJson ?? "";
        const body = push(encodeEnvelope({ id, name: "anything", payloadJson, enqueuedAt: date.getTime() }));
        const kwargs: unknown = JSON.parse(JSON.stringify(payload));
        const expected = { taskId: id, taskName: "anything", args: [], kwargs };
        const call = { ...expected, enqueuedAt: date.getTime() };
        expect(receiveInPython(body, tasksOfReference)).toEqual({ status: 200, call });
        expect(decodeDelivery(body, () => undefined, 0)).toMatchObject(expected);
      }),
      { numRuns: 500 },
    );
  });
});

describe("what the local-http backend pushes", () => {
  it("is a call of the reference's function, at every delivery", async () => {
    const { options, adopt, clock, endpoint, recorder } = await createPushedScene();
    const answers = [new Busy("later", { retryAfter: 5 }), new RetryAfter(7)];
    const route = new TaskRoute({
      path: "gyrinx.core.tasks.send_welcome_email",
      run: () => {
        const answer = answers.shift();
        if (answer !== undefined) throw answer;
      },
    });
    const tasks = adopt(createTasks({ ...options, routes: [route] }));
    const enqueuedAt = clock.now();
    const { id } = await tasks.enqueue(route, { user_id: "42", message: "Zoë 🎈" });
    await clock.elapse(5);
    await clock.elapse(7);
    await recorder.outcomes(1, "done");
    const kwargs = { user_id: "42", message: "Zoë 🎈" };
    const call = { taskId: id, taskName: "send_welcome_email", args: [], kwargs, enqueuedAt };
    expect(endpoint.received.map(({ body }) => receiveInPython(body, tasksOfReference))).toEqual(
      Array.from({ length: 3 }, () => ({ status: 200, call })),
    );
  });

  it("at a tick is what the reference's own scheduler sends", async () => {
    const { options, adopt, clock, endpoint, recorder } = await createPushedScene();
    const route = new TaskRoute({ path: "gyrinx.core.tasks.send_daily_report", schedule: "* * * * *", run: () => {} });
    const tasks = adopt(createTasks({ ...options, routes: [route] }));
    await tasks.start();
    await clock.elapse(60);
    await recorder.outcomes(1, "done");
    expect(receiveInPython(endpoint.received[0]?.body ?? "", tasksOfReference)).toEqual({
      status: 200,
      call: expect.objectContaining({ taskId: "scheduled-send_daily_report", kwargs: {}, enqueuedAt: undefined }),
    });
  });
});

describe("the reference as these tests know it", () => {
  const good = { task_id: "1", task_name: "send_welcome_email", args: ["42", "hello"], kwargs: {} };

  it.each<[what: string, body: string, status: number, why: string]>([
    ["no JSON", "{", 400, "Invalid JSON"],
    ["a list", "[]", 500, "AttributeError: no dict"],
    ["no message", "{}", 400, "Missing data field"],
    ["no data", push(""), 400, "Missing data field"],
    ["base64url", JSON.stringify({ message: { data: "e30_-A==" } }), 400, "Invalid message data: base64"],
    ["other bytes", JSON.stringify({ message: { data: "/w==" } }), 400, "Invalid message data: UTF-8"],
    ["data that is no JSON", push("{"), 400, "Invalid message data"],
    ["data that is no dict", push("[]"), 500, "AttributeError: no dict"],
    ["args null", push(JSON.stringify({ ...good, args: null })), 400, "Invalid message format: args"],
    ["kwargs null", push(JSON.stringify({ ...good, kwargs: null })), 400, "Invalid message format: kwargs"],
    ["no name", push(JSON.stringify({ ...good, task_name: "" })), 400, "Missing task_name"],
    ["a name it does not know", push(JSON.stringify({ ...good, task_name: "x" })), 400, "Unknown task"],
    ["a long id", push(JSON.stringify({ ...good, task_id: "x".repeat(256) })), 500, "DataError: task_id"],
    ["a time that is null", push(JSON.stringify({ ...good, enqueued_at: null })), 500, "TypeError: enqueued_at"],
    ["an argument less", push(JSON.stringify({ ...good, args: ["42"] })), 500, "TypeError: missing message"],
    ["an argument more", push(JSON.stringify({ ...good, args: [1, 2, 3] })), 500, "TypeError: too many positional"],
    ["one given twice", push(JSON.stringify({ ...good, kwargs: { user_id: 1 } })), 500, "TypeError: multiple values"],
    ["a name of ours", push(JSON.stringify({ ...good, kwargs: { userId: 1 } })), 500, "TypeError: unexpected keyword"],
  ])("refuses %s", (_what, body, status, why) => {
    expect(receiveInPython(body, tasksOfReference)).toEqual({ status, why: expect.stringContaining(why) });
  });

  it.each<[text: string, moment: string | undefined]>([
    ["2026-03-01T08:59:58+00:00", "2026-03-01T08:59:58.000Z"],
    ["2026-03-01T08:59:58.123+00:00", "2026-03-01T08:59:58.123Z"],
    ["2026-03-01 08:59:58.123456+05:30", "2026-03-01T03:29:58.123Z"],
    ["2026-03-01T08:59:58.123Z", undefined],
    ["2026-03-01T08:59:58.1+00:00", undefined],
    ["2026-03-01T08:59:58.123+0000", undefined],
    ["2026-02-30T08:59:58+00:00", undefined],
    ["2026-03-01T24:00:00+00:00", undefined],
    ["2026-03-01T08:59:58", undefined],
  ])("reads the time %s as %s", (text, moment) => {
    expect(fromIsoFormat(text)).toBe(moment === undefined ? undefined : Date.parse(moment));
  });
});
