/**
 * The guided tour that `npm start` runs: an Express service, its tasks, and the local engine that pushes them back to it.
 *
 *     npm start                        the tour, a few seconds
 *     npm start -- --serve             the tour, then the service stays up for curl
 *     npm start -- --port 3000         on a port of your own
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { parseArgs } from "node:util";
import { clockStartingAt, createTasks, localHttp } from "taskroute";
import { PushLog } from "./push-log.ts";
import { createService, PUSH_PATH } from "./service.ts";
import { routes } from "./tasks.ts";
import { code, event, say, title } from "./terminal.ts";
import { described, takeTour } from "./tour.ts";

const server = createServer();

// A reader such as `head` may close the pipe before the tour is over.
process.stdout.on("error", () => process.exit());

/** Listens on a port, by default on 8080 or else any that is free. */
async function listen(port: string | undefined): Promise<void> {
  const isFree = async (number: number): Promise<boolean> => {
    server.listen(number, "127.0.0.1");
    return once(server, "listening").then(
      () => true,
      () => false,
    );
  };
  if (port === undefined) {
    if (!(await isFree(8080))) await isFree(0);
    return;
  }
  const number = Number(port);
  if (!Number.isInteger(number) || number < 0 || number > 65535 || !(await isFree(number)))
    throw new Error(`expected --port to be a free port, got ${port}; name another, or leave it out`);
}

async function run(serve: boolean): Promise<void> {
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const url = `${origin}${PUSH_PATH}`;
  const log = new PushLog();
  const tasks = createTasks({
    routes,
    backend: localHttp({ url }),
    hooks: log.hooks,
    logger: log.logger,
    clock: clockStartingAt(new Date("2026-06-15T08:59:57+01:00")),
  });
  server.on("request", createService(tasks, log));

  title("taskroute: background tasks, from enqueued to finished");
  say(`An Express service listens on ${origin}.`);
  say(`Its tasks, declared in examples/quickstart/tasks.ts, are posted to its ${PUSH_PATH} by the local engine, as
    Pub/Sub does in the cloud.`);
  await takeTour({ tasks, log, url });
  if (serve) await stayUp(origin, log);

  await tasks.close();
  server.close();
  title("The end");
  const statuses = [...Map.groupBy(log.pushes, ({ status }) => status)];
  say(`${log.pushes.length} pushes: ${statuses.map(([status, { length }]) => `${length} × ${status}`).join(", ")}.`);
  say("Closed: what ran was waited for. No timer and no socket is left.");
  say("Next: docs/getting-started.md, or `npm start -- --serve` to play with curl.");
}

/** Prints how to use the service, and what is pushed to it; returns at Ctrl-C. */
async function stayUp(origin: string, log: PushLog): Promise<void> {
  title("The service stays up until Ctrl-C; in another terminal:");
  code(`curl ${origin}/users -d '{"userId":"42"}'`);
  code(`curl ${origin}/users -d '{"userId":42}'`);
  code(`curl ${origin}/orders -d '{"orderId":"7","cents":500}'`);
  code(`curl ${origin}/imports -d '{"csv":"mug"}'`);
  code(`curl ${origin}/dead-letters`);
  code(`curl -X POST ${origin}/dead-letters/$TASK_ID/redrive`);
  say("/users refuses a number; /orders fails twice and is retried; /imports ends as a dead letter.");
  title("Pushes");
  const stopped = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => stopped.abort());
  const printing = (async () => {
    for await (const push of log.from(log.pushes.length)) {
      event("pushed", `${push.finished?.name}  ${described(push)}`, push.status === 200 ? "green" : "red");
    }
  })();
  await Promise.race([printing, once(stopped.signal, "abort")]);
}

let serve = false;
try {
  const { values } = parseArgs({ options: { port: { type: "string" }, serve: { type: "boolean", default: false } } });
  serve = values.serve;
  await listen(values.port);
} catch (error) {
  console.error(`quickstart: ${(error as Error).message}`);
  process.exit(1);
}
await run(serve);

// Output:
//
// taskroute: background tasks, from enqueued to finished
//    An Express service listens on http://127.0.0.1:<n>.
//    Its tasks, declared in examples/quickstart/tasks.ts, are posted to its
//    /tasks/pubsub by the local engine, as Pub/Sub does in the cloud.
//
// 1  A typed task, pushed back over HTTP
//    await tasks.enqueue(sendWelcomeEmail, { userId: "42" });
//      enqueued  <uuid>
//      +<ms> s   200  attempt 1 done
//    This is what arrived, in the format of a Pub/Sub push:
//      token     RS256, by a key that is trusted outside production only
//                iss https://accounts.google.com
//                aud http://127.0.0.1:<n>/tasks/pubsub
//                email local-push@taskroute.invalid
//      via       subscriptions/dev--app.tasks--accounts.sendWelcomeEmail-sub
//      data      task_id "<uuid>"
//                task_name "sendWelcomeEmail"
//                args []
//                kwargs {"userId":"42"}
//                enqueued_at "<time>"
//
// 2  The same message from a stranger, without a token
//      answered  403, without a word; nothing ran
//      logged    a push was not let in
//                expected a bearer token in header authorization, got none
//
// 3  A payload that its schema refuses
//    await tasks.enqueue(sendWelcomeEmail, { userId: 42 });
//      thrown    INVALID_PAYLOAD
//                payload of "accounts.sendWelcomeEmail"
//                userId: Invalid input: expected string, received number
//    TypeScript refuses that line as well. Nothing was enqueued.
//
// 4  A task that fails twice, retried with back-off
//    500 is a nack. The delay starts at minRetryDelay, 0.2 s here, and doubles.
//    await tasks.enqueue(chargeCard, { orderId: "1001", cents: 1999 });
//      enqueued  <uuid>
//      +<ms> s   500  attempt 1 failed: the payment provider answered 503
//      +<ms> s   500  attempt 2 failed: the payment provider answered 503
//      +<ms> s   200  attempt 3 done
//
// 5  Later; and once only
//    await tasks.enqueue(remindOfCart, { cartId: "7" }, { delay: 1 });
//      enqueued  <uuid>
//      +<ms> s   200  attempt 1 done
//    await tasks.enqueue(rebuildIndex, {}, { dedupeKey: "products" });
//      enqueued  <uuid>
//      +<ms> s   200  attempt 1 done
//    await tasks.enqueue(rebuildIndex, {}, { dedupeKey: "products" });
//      dropped   deduplicated: true
//                id: <uuid>, the first one's
//
// 6  A schedule, "0 9 * * *" in Europe/London
//    The clock of this service was set to 08:59:57 in London when the tour began.
//    It is June there: nine o'clock is eight in UTC. Waiting for it …
//      +<ms> s   200  attempt 1 done
//      id        scheduled-dev--app--reports.sendDailyReport-20260615T080000Z
//    Cloud Scheduler may send a tick twice. Both would carry this id.
//
// 7  A poison message: a dead letter, redriven after the fix
//    After maxAttempts, 3 here, the answer is 200: the task is kept elsewhere.
//    await tasks.enqueue(importPrices, { csv: "mug;12.50" });
//      enqueued  <uuid>
//      +<ms> s   500  attempt 1 failed: expected a price, got "mug;12.50"
//      +<ms> s   500  attempt 2 failed: expected a price, got "mug;12.50"
//      +<ms> s   200  attempt 3 given up: expected a price, got "mug;12.50"
//    await tasks.deadLetters.list();
//      kept      catalog.importPrices, exhausted after 3 attempts
//    release.readsSemicolons = true; // the fix is deployed
//    await tasks.deadLetters.redrive(letter.taskId);
//      +<ms> s   200  attempt 1 done
//
// The end
//    12 pushes: 7 × 200, 1 × 403, 4 × 500.
//    Closed: what ran was waited for. No timer and no socket is left.
//    Next: docs/getting-started.md, or `npm start -- --serve` to play with curl.
