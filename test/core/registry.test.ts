import { describe, expect, it } from "vitest";
import { TaskContract } from "../../src/core/contract.ts";
import { Registry } from "../../src/core/registry.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { refusalOf } from "../support/refusal.ts";

const run = (): void => {};

describe("a registry", () => {
  const mail = new TaskRoute({ path: "accounts.sendMail", run });
  const report = new TaskContract({ path: "reports.daily" });
  const registry = new Registry([mail, report]);

  it("keeps the order of its list, and cannot be changed", () => {
    const list = [mail, report];
    const kept = new Registry(list);
    list.pop();
    expect(kept.routes).toEqual([mail, report]);
    expect(() => Reflect.apply(Array.prototype.push, kept.routes, [mail])).toThrow(TypeError);
  });

  it.each([
    ["sendMail", mail],
    ["accounts.sendMail", mail],
    ["daily", report],
    ["sendmail", undefined],
    ["accounts", undefined],
    ["", undefined],
    ["__proto__", undefined],
    ["constructor", undefined],
  ])("finds what a message calls %j by its name or path", (taskName, route) => {
    expect(registry.find(taskName)).toBe(route);
  });

  it("resolves anything with the path of a listed route to that route", () => {
    expect(registry.resolve(new TaskContract({ path: "accounts.sendMail" }))).toBe(mail);
  });

  const unknown: readonly [ref: unknown, text: string][] = [
    [new TaskContract({ path: "accounts.sendMails" }), 'got "accounts.sendMails" (listed is "accounts.sendMail")'],
    [new TaskContract({ path: "billing.charge" }), 'got "billing.charge"; add it to routes'],
    [undefined, "expected a TaskRoute or TaskContract, got undefined"],
    ["accounts.sendMail", 'expected a TaskRoute or TaskContract, got "accounts.sendMail"'],
    [{}, "expected a TaskRoute or TaskContract, got an object"],
  ];

  it.each(unknown)("refuses what is not listed: %o", (ref, text) => {
    expect(refusalOf(() => Reflect.apply(registry.resolve, registry, [ref]), "UNKNOWN_ROUTE")).toContain(text);
  });
});

describe("a list of routes", () => {
  const clashes: readonly [first: string, second: string, kind: string][] = [
    ["a.send", "a.send", "path"],
    ["a.send", "b.send", "name"],
    ["a.b.c-d", "a.b-c.d", "queue"],
    ["a.b_c", "a_b.c", "queue"],
  ];

  it.each(clashes)("refuses %s beside %s: they share a %s", (first, second, kind) => {
    const text = refusalOf(
      () => new Registry([new TaskRoute({ path: first, run }), new TaskRoute({ path: second, run })]),
      "DUPLICATE_ROUTE",
    );
    expect(text).toMatch(new RegExp(`^createTasks: expected every route to have a ${kind} of its own, got "${first}"`));
    expect(text).toContain(`"${second}"`);
  });

  it("tells where both of two clashing routes are declared", () => {
    const first = new TaskRoute({ path: "a.send", run });
    const second = new TaskContract({ path: "b.send" });
    const text = refusalOf(() => new Registry([first, second]), "DUPLICATE_ROUTE");
    expect(text).toMatch(
      /"a\.send" \(\S+registry\.test\.ts:\d+:\d+\) and "b\.send" \(\S+registry\.test\.ts:\d+:\d+\); rename or remove one$/,
    );
  });

  it("tells where a route is declared that a contract was completed to", () => {
    const first = new TaskContract({ path: "a.send" }).route(run);
    const text = refusalOf(() => new Registry([first, first]), "DUPLICATE_ROUTE");
    expect(text).toMatch(/got "a\.send" \(\S+registry\.test\.ts:\d+:\d+\) twice;/);
  });

  it("takes any number of routes that differ", () => {
    const routes = Array.from({ length: 1000 }, (_, index) => new TaskRoute({ path: `a.task${index}`, run }));
    expect(new Registry(routes).find("task999")).toBe(routes[999]);
  });

  const wrong: readonly [routes: unknown, text: string][] = [
    [undefined, "createTasks: expected routes to be a list, got undefined"],
    [new TaskRoute({ path: "a.b", run }), "expected routes to be a list, got an object"],
    [[undefined], "expected routes[0] to be a TaskRoute or TaskContract, got undefined"],
    [
      [new TaskRoute({ path: "a.b", run }), run],
      "expected routes[1] to be a TaskRoute or TaskContract, got a function",
    ],
    [[{ path: "a.b", run }], "expected routes[0] to be a TaskRoute or TaskContract, got an object"],
  ];

  it.each(wrong)("is refused when it is none: %o", (routes, text) => {
    expect(refusalOf(() => Reflect.construct(Registry, [routes]), "INVALID_OPTION")).toContain(text);
  });
});
