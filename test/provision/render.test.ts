import { describe, expect, it } from "vitest";
import type { Change } from "../../src/core/provisioning.ts";
import { asPlan } from "../../src/provision/plan.ts";
import { renderPlan, renderReport } from "../../src/provision/render.ts";
import { FakeCloud, grpcError } from "./fake-cloud.ts";
import { Deployment, route } from "./scene.ts";

const change = (action: Change["action"], more: Partial<Change> = {}): Change => ({
  action,
  kind: "topic",
  name: "projects/p/topics/t",
  routes: ["a.one"],
  fields: [],
  ...more,
});

const planned = (...changes: readonly Change[]) =>
  asPlan(changes.map((one) => ({ change: one, want: undefined, found: undefined, dependsOn: [] })));

describe("a plan for people", () => {
  it("has a sign for each action, the fields and the reason under it, and a last line that counts", () => {
    const plan = planned(
      change("create"),
      change("update", {
        fields: [
          { field: "ackDeadlineSeconds", from: 10, to: 300 },
          { field: "description", from: undefined, to: "" },
        ],
      }),
      change("replace", { reason: "topic cannot be changed; what waits in it is lost when it is made anew" }),
      change("delete", { reason: "no route needs it any more" }),
      change("keep"),
      change("keep", { reason: "it was paused by somebody else, and stays so until somebody resumes it" }),
      change("skip", { reason: "queues are not pruned" }),
    );
    expect(renderPlan(plan)).toBe(`  + topic t
  ~ topic t
      ackDeadlineSeconds: 10 -> 300
      description: (not set) -> ""
-/+ topic t
      topic cannot be changed; what waits in it is lost when it is made anew
  - topic t
      no route needs it any more
  = topic t
      it was paused by somebody else, and stays so until somebody resumes it
  ! topic t
      queues are not pruned
Plan: 1 to create, 1 to update, 1 to replace, 1 to delete, 1 skipped, 2 unchanged.`);
  });

  it("lists what is unchanged only when asked to", () => {
    expect(renderPlan(planned(change("keep")))).toBe("Nothing to do: 1 unchanged.");
    expect(renderPlan(planned(change("keep")), { unchanged: true })).toBe("  = topic t\nNothing to do: 1 unchanged.");
    expect(renderPlan(planned())).toBe("Nothing to do: no resources.");
  });

  it("has no line of more than 80 columns, unless a name or a value alone is longer", () => {
    const reason = "word ".repeat(100).trim();
    const plan = planned(change("skip", { reason }), change("skip", { reason: "x".repeat(200) }));
    const text = renderPlan(plan);
    expect(text.split("\n").filter((line) => line.length > 80)).toEqual([`      ${"x".repeat(200)}`]);
    expect(text.split("  ! topic t\n")[1]?.replace(/\s+/g, " ").trim()).toBe(reason);
  });
});

describe("a report for people", () => {
  it("says what became of each resource and why", async () => {
    const cloud = new FakeCloud();
    cloud.before = ({ method, name }) => {
      if (method === "create" && name.endsWith("-dead"))
        throw grpcError("PERMISSION_DENIED", "User not authorized to perform this action.");
    };
    const text = renderReport(await new Deployment(cloud, [route("a.one")]).apply());
    expect(text).toContain("  + topic prod--shop.tasks--a.one-dead  failed\n      create projects/p/topics/");
    expect(text).toContain("  + topic prod--shop.tasks--a.one\n");
    expect(text).toContain("  + subscription prod--shop.tasks--a.one-sub  skipped\n      not begun: it needs");
    expect(text).toMatch(/\nDone: 1 written, 2 skipped, 1 failed\.$/);
  });
});
