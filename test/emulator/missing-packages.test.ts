import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { isTasksError } from "../../src/core/errors.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { Calls } from "../../src/emulator/calls.ts";
import { howToServe, loadProtos } from "../../src/emulator/protos.ts";
import { RestFront } from "../../src/emulator/rest.ts";
import { Listener } from "../../src/emulator/server.ts";
import type { Service } from "../../src/emulator/service.ts";

const folder = mkdtempSync(join(tmpdir(), "emulator-"));

afterAll(() => rmSync(folder, { recursive: true }));

/** A place where only these packages are installed. */
function placeWith(...packages: string[]): string {
  const place = mkdtempSync(join(folder, "place-"));
  mkdirSync(join(place, "node_modules/@google-cloud"), { recursive: true });
  const modules = join(dirname(fileURLToPath(import.meta.url)), "../../node_modules");
  for (const name of packages) symlinkSync(realpathSync(join(modules, name)), join(place, "node_modules", name));
  return join(place, "index.js");
}

describe("an emulator without some of Google's client packages", () => {
  it("has the protos of those that are installed", () => {
    const protos = loadProtos(placeWith("@google-cloud/tasks"));
    expect(protos.installed).toEqual(["@google-cloud/tasks"]);
    expect(protos.service("google.cloud.tasks.v2.CloudTasks")).toBeDefined();
    expect(protos.service("google.iam.v1.IAMPolicy")).toBeDefined();
    expect(protos.service("google.pubsub.v1.Publisher")).toBeUndefined();
  });

  it("says what to install to whoever asks for the others", async () => {
    const services: Service[] = [
      { name: "google.pubsub.v1.Publisher", methods: { GetTopic: () => ({}) } },
      { name: "google.cloud.tasks.v2.CloudTasks", methods: {} },
    ];
    const calls = new Calls(loadProtos(placeWith("@google-cloud/tasks")), services, silentLogger, () => undefined);
    const rest = new RestFront(calls);
    const listener = new Listener(
      () => {},
      (request, response) => rest.answer(request, response),
    );
    const port = await listener.open("127.0.0.1", 0);
    const response = await fetch(`http://127.0.0.1:${port}/v1/projects/demo/topics/orders`);
    expect([response.status, await response.json()]).toMatchObject([
      501,
      { error: { status: "UNIMPLEMENTED", message: howToServe("google.pubsub.v1.Publisher") } },
    ]);
    await listener.close();
    const call = calls.all.find(({ name }) => name === "GetTopic");
    await expect(call && calls.invoke(call, {})).rejects.toMatchObject({
      code: 12,
      message:
        "The service google.pubsub.v1.Publisher is not served here: run npm install --save-dev @google-cloud/pubsub.",
    });
  });

  it("does not start with none of them", () => {
    let error: unknown;
    try {
      loadProtos(placeWith());
    } catch (caught) {
      error = caught;
    }
    expect(isTasksError(error, "MISSING_PACKAGE")).toBe(true);
    expect(String(error)).toContain("npm install --save-dev @google-cloud/pubsub");
  });
});

describe("the advice on what to install", () => {
  it.each([
    ["google.pubsub.v1.Subscriber", "@google-cloud/pubsub"],
    ["google.cloud.tasks.v2.CloudTasks", "@google-cloud/tasks"],
    ["google.cloud.scheduler.v1.CloudScheduler", "@google-cloud/scheduler"],
  ])("for %s is %s", (service, name) => {
    expect(howToServe(service)).toContain(`npm install --save-dev ${name}.`);
  });
});
