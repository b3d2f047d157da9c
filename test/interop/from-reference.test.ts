import { globSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Expectation, messages, payloads } from "./expectations.ts";
import { carriers, published, type Service, startService } from "./service.ts";

const TASK = "send_welcome_email";
const TASK_ID = "3b241101-e2bb-4255-8caf-4136c566a962";
const ENQUEUED_AT = "2026-03-01T08:59:58.123Z";

/** Every fixture by every carrier. */
function carried(fixtures: Readonly<Record<string, Expectation>>) {
  return Object.entries(fixtures).flatMap(([fixture, expectation]) =>
    Object.entries(carriers).map(([carrier, carry]) => ({ fixture, carrier, carry, expectation })),
  );
}

function expectRefusal(
  { ran, lines, refusals }: Service,
  { refused, why }: Extract<Expectation, { refused: string }>,
): void {
  expect(ran).toEqual([]);
  expect(lines).toEqual([
    {
      level: "error",
      message: expect.stringMatching(/^a (push|delivery) was rejected$/),
      fields: expect.objectContaining({ reason: refused }),
    },
  ]);
  expect([...Object.values(lines[0]?.fields ?? {}), ...refusals].join("\n")).toContain(why);
}

it("every fixture has its expectation, and every expectation its fixture", () => {
  const files = globSync("*.txt", { cwd: join(import.meta.dirname, "fixtures") });
  const expected = [...Object.keys(messages), ...Object.keys(payloads), "scheduler"];
  expect(files.map((file) => file.replace(".txt", "")).sort()).toEqual(expected.sort());
});

describe("a message of a Python producer", () => {
  it.each(carried(messages))("$fixture, $carrier", async ({ fixture, carry, expectation }) => {
    const service = await startService();
    const status = await service.post(carry(published(fixture)));
    if ("refused" in expectation) {
      expect(status).toBe(400);
      expectRefusal(service, expectation);
      return;
    }
    expect(status).toBe(200);
    expect(service.ran).toStrictEqual([{ name: TASK, taskId: TASK_ID, enqueuedAt: ENQUEUED_AT, ...expectation }]);
    expect(service.lines).toEqual([]);
  });

  it("never has its numbers logged, however it is refused", async () => {
    for (const [fixture, expectation] of Object.entries(messages)) {
      if (!("refused" in expectation)) continue;
      const service = await startService();
      const data = published(fixture);
      await service.post(carriers.wrapped(data));
      for (const number of data.toString().match(/\d{16,}/g) ?? [])
        expect(JSON.stringify(service.lines)).not.toContain(number.slice(0, 15));
    }
  });
});

describe("a message of the reference's scheduler", () => {
  const tick = "scheduled-dev--app--gyrinx.core.tasks.send_daily_report-20260301T090000Z";

  it.each([
    { carrier: "wrapped", taskId: tick },
    { carrier: "unwrapped", taskId: tick },
    // A queue tells no publish time, so nothing tells which tick it is.
    { carrier: "cloud-tasks", taskId: "8032934832980473" },
  ] as const)("is the tick that it came with: $carrier", async ({ carrier, taskId }) => {
    const service = await startService();
    expect(await service.post(carriers[carrier](published("scheduler")))).toBe(200);
    expect(service.ran).toStrictEqual([{ name: "send_daily_report", taskId, payload: {}, enqueuedAt: undefined }]);
  });
});

describe("a payload of a Python producer, for a route that is mounted alone", () => {
  it.each(carried(payloads))("$fixture, $carrier", async ({ fixture, carrier, carry, expectation }) => {
    const service = await startService({ route: { path: `gyrinx.core.tasks.${TASK}` } });
    const status = await service.post(carry(published(fixture)));
    if ("refused" in expectation) {
      expect(status).toBe(400);
      expectRefusal(service, expectation);
      return;
    }
    expect(status).toBe(200);
    const taskId = carrier === "cloud-tasks" ? "8032934832980473" : "2070443601311540";
    expect(service.ran).toStrictEqual([{ name: TASK, taskId, enqueuedAt: undefined, ...expectation }]);
  });
});
