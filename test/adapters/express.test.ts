import express from "express";
import { expect, it } from "vitest";
import { expressHandler } from "../../src/adapters/express.ts";
import { createService, listen, recorded, send } from "../contracts/adapter-subject.ts";

const push = recorded("wrapped-minimal");

it("expressHandler says once that express.json() came first", async () => {
  const { tasks, lines } = createService();
  const port = await listen(express().use(express.json()).use(expressHandler(tasks)));
  await send(port, push);
  await send(port, push);
  expect(lines).toEqual([
    expect.objectContaining({ level: "warn", fields: { remedy: "mount expressHandler before express.json()" } }),
  ]);
});

it("expressHandler before express.json() has nothing to say", async () => {
  const { tasks, lines } = createService();
  const port = await listen(express().post("/tasks/pubsub", expressHandler(tasks)).use(express.json()));
  expect(await send(port, push)).toMatchObject({ status: 200 });
  expect(lines).toEqual([]);
});
