/** The tasks of a small shop. A service declares each of them once; enqueuing, delivery and names follow from here. */
import { setTimeout as sleep } from "node:timers/promises";
import { TaskRoute, type Tasks } from "taskroute";
import { z } from "zod";

/** The ordinary case: a path, a schema, a body. The type of `userId` comes from the schema. */
export const sendWelcomeEmail = new TaskRoute({
  path: "accounts.sendWelcomeEmail",
  payload: z.object({ userId: z.string() }),
  run: async ({ userId }, { signal }) => {
    await sleep(20, undefined, { signal }); // stands for a call to the mail provider
    return { sentTo: userId };
  },
});

/** Fails twice and then works, as a payment provider does on a bad day. Delays are in seconds. */
export const chargeCard = new TaskRoute({
  path: "orders.chargeCard",
  payload: z.object({ orderId: z.string(), cents: z.int().positive() }),
  minRetryDelay: 0.2,
  maxRetryDelay: 5,
  run: async ({ orderId }, { attempt }) => {
    if (attempt < 3) throw new Error("the payment provider answered 503");
    return { receipt: `receipt of ${orderId}` };
  },
});

/** Enqueued with a delay. */
export const remindOfCart = new TaskRoute({
  path: "carts.remindOfCart",
  payload: z.object({ cartId: z.string() }),
  run: () => {},
});

/** Enqueued with a dedupe key: once an hour is enough, however many products change. Takes no payload. */
export const rebuildIndex = new TaskRoute({
  path: "search.rebuildIndex",
  run: () => {},
});

/** Runs at nine in the morning in London, whatever the season. */
export const sendDailyReport = new TaskRoute({
  path: "reports.sendDailyReport",
  schedule: "0 9 * * *",
  scheduleTimezone: "Europe/London",
  run: (_payload, { scheduledFor }) => ({ day: scheduledFor?.toISOString().slice(0, 10) }),
});

/** Which release of the shop is running: the first one cannot read a price list that is separated by semicolons. */
export const release = { readsSemicolons: false };

/** Poisoned by some input until the next release. After three failed attempts the task is kept as a dead letter. */
export const importPrices = new TaskRoute({
  path: "catalog.importPrices",
  payload: z.object({ csv: z.string() }),
  maxAttempts: 3,
  minRetryDelay: 0.1,
  run: ({ csv }) => {
    const [product, price] = csv.split(release.readsSemicolons ? /[,;]/ : ",");
    if (price === undefined) throw new Error(`expected a price, got "${csv}"`);
    return { product, price: Number(price) };
  },
});

/** The one list there is. */
export const routes = [
  sendWelcomeEmail,
  chargeCard,
  remindOfCart,
  rebuildIndex,
  sendDailyReport,
  importPrices,
] as const;

/** The client of that list. */
export type ShopTasks = Tasks<(typeof routes)[number]>;
