import { bodyParser } from "@koa/bodyparser";
import Koa from "koa";
import { expect, it } from "vitest";
import { koaHandler } from "../../src/adapters/koa.ts";
import { createService, listen, recorded, send } from "../contracts/adapter-subject.ts";

it("koaHandler lets middleware around it see the status", async () => {
  const { tasks } = createService();
  const seen: number[] = [];
  const app = new Koa()
    .use(async (ctx, next) => {
      await next();
      seen.push(ctx.status);
    })
    .use(koaHandler(tasks));
  const port = await listen(app.callback());
  await send(port, recorded("wrapped-minimal"));
  await send(port, recorded("busy-task"));
  expect(seen).toEqual([200, 429]);
});

it("koaHandler says once that a body parser came first", async () => {
  const { tasks, lines } = createService();
  const port = await listen(new Koa().use(bodyParser()).use(koaHandler(tasks)).callback());
  await send(port, recorded("wrapped-minimal"));
  await send(port, recorded("wrapped-minimal"));
  expect(lines).toEqual([
    expect.objectContaining({ level: "warn", fields: { remedy: "mount koaHandler before the body parser" } }),
  ]);
});
