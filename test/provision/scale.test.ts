import { describe, expect, it } from "vitest";
import { FakeCloud } from "./fake-cloud.ts";
import { Deployment, route } from "./scene.ts";

describe("a thousand routes", () => {
  const routes = Array.from({ length: 1000 }, (_, index) =>
    route(`scale.r${index}`, index % 2 === 0 ? { schedule: "0 9 * * *" } : {}),
  );

  it("are planned with at most 10 calls when nothing has changed, and with one write for a new deployment", async () => {
    const cloud = new FakeCloud();
    const generation = (number: string) => new Deployment(cloud, routes, { env: { TASKS_GENERATION: number } });
    await generation("1").apply();
    expect(cloud.resources.size).toBe(4500);
    cloud.calls.length = 0;
    expect((await generation("1").plan()).isEmpty).toBe(true);
    expect(cloud.calls.length).toBeLessThanOrEqual(10);
    cloud.calls.length = 0;
    await generation("2").apply();
    expect(cloud.calls.filter(({ method }) => method !== "list" && method !== "get")).toHaveLength(1);
  });
});
