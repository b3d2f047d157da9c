/**
 * Tasks are delivered at least once: a service that got no acknowledgement in time, or whose process died, delivers again.
 * Each block is one way for a task to bear that, and the failure that it is for, brought about on purpose. The guide on
 * idempotency says when to take which.
 */
import { DatabaseSync } from "node:sqlite";
import { TaskRoute } from "taskroute";
import { createTestTasks } from "taskroute/testing";
import { z } from "zod";

const order = z.object({ orderId: z.string() });

const db = new DatabaseSync(":memory:");
db.exec(`
  CREATE TABLE profiles (user_id TEXT PRIMARY KEY, name TEXT, version INTEGER NOT NULL DEFAULT 0);
  CREATE TABLE stock (item TEXT PRIMARY KEY, count INTEGER NOT NULL);
  CREATE TABLE finished (task_id TEXT PRIMARY KEY);
  CREATE TABLE invoices (order_id TEXT PRIMARY KEY);
`);
const value = (sql: string): unknown => Object.values(db.prepare(sql).get() ?? {})[0];

/** What a database does when the connection of a process breaks. */
const rollBack = (): void => {
  if (db.isTransaction) db.exec("ROLLBACK");
};

// 1. Nothing done about it.
{
  const outbox: string[] = [];
  const sendReceipt = new TaskRoute({
    path: "orders.sendReceipt",
    payload: order,
    run: ({ orderId }) => void outbox.push(orderId),
  });
  const tasks = createTestTasks({ routes: [sendReceipt] });
  await tasks.enqueue(sendReceipt, { orderId: "7" });
  tasks.crashDuring(sendReceipt); // after the mail, before the acknowledgement
  await tasks.deliverAll();
  console.log(`nothing done: ${outbox.length} mails after a crash`);
  await tasks.redeliverLast(); // although it was acknowledged
  console.log(`nothing done: ${outbox.length} mails after a redelivery as well`);
}

// 2. Remembered in memory: good until the process ends.
{
  const outbox: string[] = [];
  const seen = new Set<string>();
  const sendReceipt = new TaskRoute({
    path: "orders.sendReceipt",
    payload: order,
    run: ({ orderId }, { taskId }) => {
      if (seen.has(taskId)) return;
      outbox.push(orderId);
      seen.add(taskId);
    },
  });
  const tasks = createTestTasks({ routes: [sendReceipt], onCrash: () => seen.clear() });
  await tasks.enqueue(sendReceipt, { orderId: "7" });
  await tasks.deliverNext();
  await tasks.redeliverLast();
  console.log(`in memory: ${outbox.length} mail after a redelivery`);
  await tasks.enqueue(sendReceipt, { orderId: "8" });
  tasks.crashDuring(sendReceipt);
  await tasks.deliverAll();
  console.log(`in memory: ${outbox.length - 1} mails after a crash`);
}

// 3. Natural idempotency: say what shall be, not what shall change.
{
  const rename = new TaskRoute({
    path: "profiles.rename",
    payload: z.object({ userId: z.string(), name: z.string() }),
    run: ({ userId, name }) =>
      void db
        .prepare("INSERT INTO profiles (user_id, name) VALUES (?, ?) ON CONFLICT DO UPDATE SET name = excluded.name")
        .run(userId, name),
  });
  const tasks = createTestTasks({ routes: [rename] });
  await tasks.enqueue(rename, { userId: "42", name: "Ada" });
  tasks.crashDuring(rename);
  await tasks.deliverAll();
  await tasks.redeliverLast();
  console.log(`upsert: ${value("SELECT count(*) FROM profiles")} profile, ${value("SELECT name FROM profiles")}`);
}

// 4. A record of the task, in one transaction with its effect. Apart, a crash between the two loses the effect.
{
  let mishap = async (): Promise<void> => {};
  const reserve = (inTransaction: boolean) =>
    new TaskRoute({
      path: "stock.reserve",
      payload: z.object({ item: z.string() }),
      run: async ({ item }, { taskId }) => {
        if (inTransaction) db.exec("BEGIN");
        const claimed = db.prepare("INSERT INTO finished VALUES (?) ON CONFLICT DO NOTHING").run(taskId);
        await mishap();
        if (claimed.changes > 0) db.prepare("UPDATE stock SET count = count - 1 WHERE item = ?").run(item);
        if (inTransaction) db.exec("COMMIT");
      },
    });
  for (const [name, route] of [
    ["record apart", reserve(false)],
    ["record in one transaction", reserve(true)],
  ] as const) {
    db.exec("INSERT OR REPLACE INTO stock VALUES ('chair', 10)");
    const tasks = createTestTasks({ routes: [route], onCrash: rollBack });
    mishap = async () => {
      mishap = async () => {};
      await tasks.crashNow(); // between the record and the effect
    };
    await tasks.enqueue(route, { item: "chair" });
    await tasks.deliverAll();
    await tasks.redeliverLast();
    console.log(`${name}: ${value("SELECT count FROM stock")} of 10 chairs left`);
  }
}

// 5. A unique key of the business: bears a second task for the same order as well.
{
  const outbox: string[] = [];
  const invoice = new TaskRoute({
    path: "orders.invoice",
    payload: order,
    run: ({ orderId }) => {
      const added = db.prepare("INSERT INTO invoices VALUES (?) ON CONFLICT DO NOTHING").run(orderId);
      if (added.changes > 0) outbox.push(orderId);
    },
  });
  const tasks = createTestTasks({ routes: [invoice] });
  await tasks.enqueue(invoice, { orderId: "7" });
  await tasks.enqueue(invoice, { orderId: "7" });
  tasks.duplicateNext();
  await tasks.deliverAll();
  console.log(`unique key: ${tasks.succeeded.length} deliveries, ${outbox.length} invoice`);
}

// 6. A dedupe key keeps the second task from being enqueued. It is no help against a redelivery.
{
  const outbox: string[] = [];
  const sendReceipt = new TaskRoute({
    path: "orders.sendReceipt",
    payload: order,
    run: ({ orderId }) => void outbox.push(orderId),
  });
  const tasks = createTestTasks({ routes: [sendReceipt] });
  for (const _click of ["first", "second"])
    await tasks.enqueue(sendReceipt, { orderId: "7" }, { dedupeKey: "receipt-7" });
  await tasks.deliverAll();
  console.log(`dedupe key: ${outbox.length} mail for two clicks`);
  await tasks.redeliverLast();
  console.log(`dedupe key: ${outbox.length} mails after a redelivery`);
}

// 7. Somebody else's API: hand it the task id as its idempotency key.
{
  const charges = new Map<string, number>();
  const bank = { charge: async (amount: number, key: string) => void charges.set(key, charges.get(key) ?? amount) };
  const chargeCard = new TaskRoute({
    path: "orders.chargeCard",
    payload: z.object({ amount: z.number() }),
    run: ({ amount }, { taskId }) => bank.charge(amount, taskId),
  });
  const tasks = createTestTasks({ routes: [chargeCard] });
  await tasks.enqueue(chargeCard, { amount: 20 });
  tasks.crashDuring(chargeCard);
  tasks.dropNext(); // of the delivery after that, the answer gets lost
  await tasks.deliverAll();
  console.log(`idempotency key: ${tasks.delivered.length} deliveries, ${charges.size} charge`);
}

// 8. Order: there is none. A version that only grows keeps an older task from undoing a newer one.
{
  const sync = new TaskRoute({
    path: "profiles.sync",
    payload: z.object({ name: z.string(), version: z.number() }),
    run: ({ name, version }) =>
      void db
        .prepare("UPDATE profiles SET name = ?, version = ? WHERE user_id = '42' AND version < ?")
        .run(name, version, version),
  });
  const tasks = createTestTasks({ routes: [sync] });
  await tasks.enqueue(sync, { name: "Ada Byron", version: 1 });
  await tasks.enqueue(sync, { name: "Ada Lovelace", version: 2 });
  tasks.reorderNext();
  const delivered = await tasks.deliverAll();
  const versions = delivered.map(({ payload }) => payload.version).join(" then ");
  console.log(`version: ${versions}, and she is ${value("SELECT name FROM profiles")}`);
}

// Output:
// nothing done: 2 mails after a crash
// nothing done: 3 mails after a redelivery as well
// in memory: 1 mail after a redelivery
// in memory: 2 mails after a crash
// upsert: 1 profile, Ada
// record apart: 10 of 10 chairs left
// record in one transaction: 9 of 10 chairs left
// unique key: 3 deliveries, 1 invoice
// dedupe key: 1 mail for two clicks
// dedupe key: 2 mails after a redelivery
// idempotency key: 3 deliveries, 1 charge
// version: 2 then 1, and she is Ada Lovelace
