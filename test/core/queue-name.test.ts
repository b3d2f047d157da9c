import { describe, expect, it } from "vitest";
import { queueIdOf, queueNameOf, queueNamesOf } from "../../src/core/queue-name.ts";
import { TaskRoute } from "../../src/core/route.ts";
import type { QueueOptions } from "../../src/core/route-options.ts";

const naming = { environment: "prod", namespace: "shop" };
const elsewhere = "projects/other/locations/us-east1/queues/theirs";

function routeIn(queue: QueueOptions): TaskRoute<"x.send_mail"> {
  return new TaskRoute({ path: "x.send_mail", queue, run: () => {} });
}

describe("the queue of a route", () => {
  const priorities = { high: {}, low: { name: "slow-lane" } };
  const cases: readonly [what: string, queue: QueueOptions, priority: string | undefined, name: string][] = [
    ["is named after its path", {}, undefined, "prod--shop--x-send-mail"],
    ["is the one that it names", { name: "shared" }, undefined, "shared"],
    ["is somebody else's by its full name", { name: elsewhere }, undefined, elsewhere],
    ["of a priority is named after both", { priorities }, "high", "prod--shop--x-send-mail-high"],
    ["of a priority is the one that the priority names", { priorities }, "low", "slow-lane"],
    ["of a priority stands beside the one that it names", { name: "shared", priorities }, "high", "shared-high"],
    ["of a priority stands beside one elsewhere", { name: elsewhere, priorities }, "high", `${elsewhere}-high`],
  ];

  it.each(cases)("%s", (_what, queue, priority, name) => {
    expect(queueNameOf(naming, routeIn(queue), priority)).toBe(name);
  });

  it("is the first of all that hold its tasks", () => {
    expect(queueNamesOf(naming, routeIn({ priorities }))).toEqual([
      "prod--shop--x-send-mail",
      "prod--shop--x-send-mail-high",
      "slow-lane",
    ]);
  });

  it("is known to a message by its id alone", () => {
    expect([queueIdOf(elsewhere), queueIdOf("shared")]).toEqual(["theirs", "shared"]);
  });
});
