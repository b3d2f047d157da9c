import { afterEach, expect, it, vi } from "vitest";
import { resolveConfig } from "../../src/core/config.ts";
import { GoogleClients, loadPeer } from "../../src/google/clients.ts";
import { refusalOf } from "../support/refusal.ts";
import { SilentPath } from "./silent-path.ts";
import { TopicServer } from "./topic-server.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function open() {
  const server = await TopicServer.open();
  const clients = new GoogleClients(resolveConfig({ GCP_PROJECT_ID: "p", TASKS_EMULATOR_HOST: server.host }));
  closing.push(
    () => clients.close(),
    () => server.close(),
  );
  return { server, clients };
}

it("asks for a project by the name of its variable", () => {
  expect(refusalOf(() => new GoogleClients(resolveConfig({})), "INVALID_CONFIG")).toContain("GCP_PROJECT_ID");
});

it("says which package to install", async () => {
  const missing = "@google-cloud/not-there";
  const refused = loadPeer(missing, () => import(missing));
  await expect(refused).rejects.toMatchObject({
    code: "MISSING_PACKAGE",
    message: `${missing}: expected the package to be installed, got none; run npm install ${missing}`,
  });
});

it("leaves alone what else is wrong with a package", async () => {
  const broken = new Error("its own fault");
  await expect(loadPeer("@google-cloud/pubsub", () => Promise.reject(broken))).rejects.toBe(broken);
});

it("talks to an emulator in plain text, without looking for credentials", async () => {
  const warnings = vi.spyOn(process, "emitWarning");
  const { server, clients } = await open();
  const publisher = await clients.publisher();
  await publisher.publish({ topic: "projects/p/topics/t", messages: [{ data: Buffer.from("one") }] });
  expect(server.arrivals).toMatchObject([{ topic: "projects/p/topics/t", messages: [{ data: "one" }] }]);
  expect(server.arrivals[0]?.metadata.get("authorization")).toEqual([]);
  expect(warnings).not.toHaveBeenCalled();
});

it("makes one client of a kind", async () => {
  const { clients } = await open();
  expect(await clients.publisher()).toBe(await clients.publisher());
  expect(await clients.subscriber()).toBe(await clients.subscriber());
  expect(await clients.tasks()).toBe(await clients.tasks());
  expect(await clients.scheduler()).toBe(await clients.scheduler());
});

it("goes on over another connection when one has died without a word", async () => {
  const server = await TopicServer.open();
  const path = await SilentPath.open(server.host);
  const config = resolveConfig({ GCP_PROJECT_ID: "p", TASKS_EMULATOR_HOST: path.host });
  const clients = new GoogleClients(config, { idle: 20, answer: 500 });
  closing.push(
    () => clients.close(),
    () => path.close(),
    () => server.close(),
  );
  const publisher = await clients.publisher();
  const publish = (text: string) =>
    publisher.publish({ topic: "projects/p/topics/t", messages: [{ data: Buffer.from(text) }] });
  await publish("one");
  path.fallSilent();
  await publish("two");
  expect(server.arrivals.map(({ messages }) => messages[0]?.data)).toEqual(["one", "two"]);
  expect(path.connections).toBe(2);
});

it("makes none any more once it is closed", async () => {
  const { clients } = await open();
  await clients.publisher();
  await Promise.all([clients.close(), clients.close()]);
  await expect(clients.publisher()).rejects.toMatchObject({ code: "CLOSED" });
});
