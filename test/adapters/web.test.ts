import { describe, expect, it } from "vitest";
import { webHandler } from "../../src/adapters/web.ts";
import { createService, credentials, recorded } from "../contracts/adapter-subject.ts";

const { body, headers } = recorded("wrapped-minimal");

function pushRequest(init: RequestInit = {}): Request {
  return new Request("https://service.example/tasks/pubsub", { method: "POST", headers, body, ...init });
}

describe("webHandler", () => {
  it("answers a request with an empty response", async () => {
    const { tasks, ran } = createService();
    const response = await webHandler(tasks)(pushRequest());
    expect(response).toMatchObject({ status: 200, body: null });
    expect(ran).toHaveLength(1);
  });

  it("never takes a body that was read before for an empty one", async () => {
    const { tasks, ran, lines } = createService();
    const request = pushRequest();
    await request.text();
    const { status } = await webHandler(tasks, { route: { path: "reports.dailyReport" } })(request);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(ran).toEqual([]);
    expect(lines).toEqual([
      expect.objectContaining({
        level: "error",
        fields: expect.objectContaining({ error: expect.stringContaining("call the push handler before it") }),
      }),
    ]);
  });

  it("counts the bytes of a body that is longer than it says", async () => {
    const { tasks, ran } = createService();
    const request = pushRequest({ headers: { ...credentials, "content-length": "5" } });
    expect(await webHandler(tasks, { bodyLimit: 100 })(request)).toMatchObject({ status: 413 });
    expect(ran).toEqual([]);
  });

  it("takes a request without any body for the empty payload of a route", async () => {
    const { tasks, ran } = createService();
    const request = pushRequest({ headers: credentials, body: null });
    expect(await webHandler(tasks, { route: { path: "reports.dailyReport" } })(request)).toMatchObject({ status: 200 });
    expect(ran).toEqual([expect.objectContaining({ payload: {} })]);
  });

  it("refuses a body over the limit before its end, and throws the rest away", async () => {
    const { tasks } = createService();
    const answered = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    let pieces = 0;
    const stream = new ReadableStream<Uint8Array>({
      async pull(controller) {
        pieces += 1;
        if (pieces > 2) await answered.promise;
        if (pieces <= 10) return controller.enqueue(new Uint8Array(100));
        controller.close();
        ended.resolve();
      },
    });
    const init = { method: "POST", headers: credentials, body: stream, duplex: "half" } as const;
    const request = new Request("https://service.example/tasks/pubsub", init);
    expect(await webHandler(tasks, { bodyLimit: 150 })(request)).toMatchObject({ status: 413 });
    answered.resolve();
    await ended.promise;
  });
});
