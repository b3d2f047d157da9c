/** The guided tour: seven things that background tasks have to do, each of them done for real. */
import { isTasksError } from "taskroute";
import type { Push, PushLog } from "./push-log.ts";
import {
  chargeCard,
  importPrices,
  rebuildIndex,
  release,
  remindOfCart,
  type ShopTasks,
  sendDailyReport,
  sendWelcomeEmail,
} from "./tasks.ts";
import { code, event, say, title } from "./terminal.ts";

/** What the tour works with. */
export interface Tour {
  readonly tasks: ShopTasks;
  readonly log: PushLog;
  /** Where tasks are pushed to. */
  readonly url: string;
}

export async function takeTour(tour: Tour): Promise<void> {
  await enqueueTyped(tour);
  await refuseStranger(tour);
  await refusePayload(tour);
  await retry(tour);
  await delayAndDedupe(tour);
  await schedule(tour);
  await parkAndRedrive(tour);
}

async function enqueueTyped({ tasks, log }: Tour): Promise<void> {
  title("1  A typed task, pushed back over HTTP");
  const push = await enqueue(log, sendWelcomeEmail, () => tasks.enqueue(sendWelcomeEmail, { userId: "42" }));
  say("This is what arrived, in the format of a Pub/Sub push:");
  const { message, subscription } = push.body;
  const [, claims = ""] = push.authorization?.split(".") ?? [];
  const { iss, aud, email } = JSON.parse(Buffer.from(claims, "base64url").toString());
  event("token", "RS256, by a key that is trusted outside production only");
  event("", `iss ${iss}`);
  event("", `aud ${aud}`);
  event("", `email ${email}`);
  event("via", subscription.replace("projects/local/", ""));
  for (const [name, value] of Object.entries(JSON.parse(Buffer.from(message.data, "base64").toString()))) {
    event(name === "task_id" ? "data" : "", `${name} ${JSON.stringify(value)}`);
  }
}

async function refuseStranger({ url, log }: Tour): Promise<void> {
  title("2  The same message from a stranger, without a token");
  const headers = { "content-type": "application/json" };
  const { status } = await fetch(url, { method: "POST", headers, body: JSON.stringify(log.pushes[0]?.body) });
  event("answered", `${status}, without a word; nothing ran`, "red");
  const [message = "", ...reason] = log.lastLine.split(": ");
  event("logged", message);
  event("", reason.join(": "));
}

async function refusePayload({ tasks }: Tour): Promise<void> {
  title("3  A payload that its schema refuses");
  // @ts-expect-error: userId is a text. The compiler is the first to refuse this line.
  const act = () => tasks.enqueue(sendWelcomeEmail, { userId: 42 });
  code(sourceOf(act));
  try {
    await act();
  } catch (error) {
    if (!isTasksError(error)) throw error;
    const [subject = "", ...reason] = error.message.split(": ");
    event("thrown", error.code, "red");
    event("", subject);
    event("", reason.join(": "));
  }
  say("TypeScript refuses that line as well. Nothing was enqueued.");
}

async function retry({ tasks, log }: Tour): Promise<void> {
  title("4  A task that fails twice, retried with back-off");
  say("500 is a nack. The delay starts at minRetryDelay, 0.2 s here, and doubles.");
  await enqueue(log, chargeCard, () => tasks.enqueue(chargeCard, { orderId: "1001", cents: 1999 }));
}

async function delayAndDedupe({ tasks, log }: Tour): Promise<void> {
  title("5  Later; and once only");
  await enqueue(log, remindOfCart, () => tasks.enqueue(remindOfCart, { cartId: "7" }, { delay: 1 }));
  await enqueue(log, rebuildIndex, () => tasks.enqueue(rebuildIndex, {}, { dedupeKey: "products" }));
  const again = () => tasks.enqueue(rebuildIndex, {}, { dedupeKey: "products" });
  code(sourceOf(again));
  const { id, deduplicated } = await again();
  event("dropped", `deduplicated: ${deduplicated}`, "yellow");
  event("", `id: ${id}, the first one's`);
}

async function schedule({ log }: Tour): Promise<void> {
  title('6  A schedule, "0 9 * * *" in Europe/London');
  say("The clock of this service was set to 08:59:57 in London when the tour began.");
  say("It is June there: nine o'clock is eight in UTC. Waiting for it …");
  const push = await follow(log.of(sendDailyReport, 0));
  event("id", push.finished?.taskId ?? "");
  say("Cloud Scheduler may send a tick twice. Both would carry this id.");
}

async function parkAndRedrive({ tasks, log }: Tour): Promise<void> {
  title("7  A poison message: a dead letter, redriven after the fix");
  say("After maxAttempts, 3 here, the answer is 200: the task is kept elsewhere.");
  await enqueue(log, importPrices, () => tasks.enqueue(importPrices, { csv: "mug;12.50" }));
  const list = () => tasks.deadLetters.list();
  code(sourceOf(list));
  const [letter] = await list();
  if (letter === undefined) throw new Error("expected a dead letter, got none");
  event("kept", `${letter.path}, ${letter.reason} after ${letter.attempts} attempts`, "yellow");
  code("release.readsSemicolons = true; // the fix is deployed");
  release.readsSemicolons = true;
  const redrive = () => tasks.deadLetters.redrive(letter.taskId);
  code(sourceOf(redrive));
  const pushes = log.of(importPrices);
  await redrive();
  await follow(pushes);
}

/** Shows a call of `enqueue` and what becomes of its task; resolves to the push that ended it. */
async function enqueue(
  log: PushLog,
  route: { readonly path: string },
  act: () => Promise<{ readonly id: string }>,
): Promise<Push> {
  code(sourceOf(act));
  const pushes = log.of(route);
  const { id } = await act();
  event("enqueued", id);
  return follow(pushes);
}

/** Prints pushes as they are answered, each with the seconds since the first line; resolves to the last. */
async function follow(pushes: AsyncIterable<Push>): Promise<Push> {
  const since = performance.now();
  let last: Push | undefined;
  for await (const push of pushes) {
    const seconds = (performance.now() - since) / 1000;
    event(`+${seconds.toFixed(2)} s`, described(push), push.status === 200 ? "green" : "red");
    last = push;
  }
  if (last === undefined) throw new Error("expected a push, got none");
  return last;
}

/** A push in words: its status, and what the task came to. */
export function described({ status, finished }: Push): string {
  if (finished === undefined) return `${status}`;
  const { outcome, attempt } = finished;
  const what = outcome.type === "discarded" ? "given up" : outcome.type;
  const why = "error" in outcome && outcome.error instanceof Error ? `: ${outcome.error.message}` : "";
  return `${status}  attempt ${attempt} ${what}${why}`;
}

/** The code of a one-line arrow function: what is shown is what runs. */
function sourceOf(act: () => unknown): string {
  return `await ${act.toString().replace(/^\(\) => /, "")};`;
}
