/**
 * Schedules, on a clock that is turned by hand: four days of March 2026 in a moment. On the 29th the clocks of London go
 * forward, from 01:00 to 02:00. A service leaves `clock` out.
 */
import { createTasks, local, silentLogger, TaskRoute, VirtualClock } from "taskroute";
import { z } from "zod";

const clock = new VirtualClock(new Date("2026-03-27T00:00:00Z"));

const inLondon = new Intl.DateTimeFormat("en-GB", {
  timeZone: "Europe/London",
  weekday: "short",
  hour: "2-digit",
  minute: "2-digit",
  timeZoneName: "short",
});

function print(what: string): void {
  console.log(`${inLondon.format(clock.now())}  ${what}`);
}

/** At nine in the morning on working days. A tick carries `schedulePayload`, checked when the route is made. */
const dailyReport = new TaskRoute({
  path: "reports.dailyReport",
  payload: z.object({ format: z.enum(["pdf", "html"]) }),
  schedule: "0 9 * * MON-FRI",
  scheduleTimezone: "Europe/London",
  schedulePayload: { format: "pdf" },
  run: ({ format }) => print(`dailyReport as ${format}`),
});

/** At half past one in the night, a time that the 29th of March does not have in London: it runs when the clocks move. */
const backup = new TaskRoute({
  path: "storage.backup",
  schedule: "30 1 * * *",
  scheduleTimezone: "Europe/London",
  run: (_payload, ctx) => print(`backup, run id ${ctx.taskId}`),
});

/** Every ten minutes of Monday's eleventh hour, and it takes 25: the ticks in between are skipped. */
const sync = new TaskRoute({
  path: "crm.sync",
  ackDeadline: 1800,
  schedule: "*/10 11 * * MON",
  scheduleTimezone: "Europe/London",
  run: async () => {
    print("sync begins");
    await new Promise<void>((done) => clock.setTimeout(done, 25 * 60_000));
  },
});

const tasks = createTasks({
  routes: [dailyReport, backup, sync],
  backend: local(),
  clock,
  logger: silentLogger,
  hooks: {
    finished: ({ name, outcome }) => {
      if (outcome.type === "skipped") print(`${name} skipped: ${outcome.reason}`);
    },
  },
});
await tasks.start(); // a push handler does this by itself
await clock.advanceTo(new Date("2026-03-30T11:55:00Z"));

// A scheduled task is a task: it can be enqueued as well.
const run = await tasks.enqueue(dailyReport, { format: "html" });
await run.result();
await tasks.close();

// Output:
// Fri, 01:30 GMT  backup, run id scheduled-dev--app--storage.backup-20260327T013000Z
// Fri, 09:00 GMT  dailyReport as pdf
// Sat, 01:30 GMT  backup, run id scheduled-dev--app--storage.backup-20260328T013000Z
// Sun, 02:00 BST  backup, run id scheduled-dev--app--storage.backup-20260329T010000Z
// Mon, 01:30 BST  backup, run id scheduled-dev--app--storage.backup-20260330T003000Z
// Mon, 09:00 BST  dailyReport as pdf
// Mon, 11:00 BST  sync begins
// Mon, 11:10 BST  sync skipped: overlap
// Mon, 11:20 BST  sync skipped: overlap
// Mon, 11:30 BST  sync begins
// Mon, 11:40 BST  sync skipped: overlap
// Mon, 11:50 BST  sync skipped: overlap
// Mon, 12:55 BST  dailyReport as html
