import { z } from "zod";
import { Discard, TaskRoute } from "../../src/index.ts";

/** A service under test: what it did, and what its tasks are. Letters to nobody bounce; those to "later" do at first. */
export interface PostOffice {
  /** Letters that were sent, each with the attempt that sent it. */
  readonly sent: string[];
  readonly sendMail: typeof sendMail;
  readonly closeAccount: typeof closeAccount;
  readonly report: typeof report;
}

const payload = z.object({ to: z.string(), at: z.coerce.date<string | Date>().optional() });
let sent: string[] = [];

const sendMail = new TaskRoute({
  path: "mail.sendMail",
  payload,
  maxAttempts: 3,
  run: ({ to }, { attempt }) => {
    if (to === "") throw new Discard("nobody to send it to");
    if (to === "never" || (to === "later" && attempt === 1)) throw new Error(`${to} bounced`);
    sent.push(`${to}#${attempt}`);
    return to.length;
  },
});

const closeAccount = new TaskRoute({
  path: "accounts.closeAccount",
  payload: z.object({ userId: z.string() }),
  run: async ({ userId }, ctx) => {
    await ctx.enqueue(sendMail, { to: userId }, { delay: 60 });
  },
});

const report = new TaskRoute({
  path: "reports.report",
  schedule: "0 * * * *",
  run: (_payload, { scheduledFor }) => scheduledFor?.toISOString(),
});

/** A post office that has sent nothing yet. */
export function openPostOffice(): PostOffice {
  sent = [];
  return { sent, sendMail, closeAccount, report };
}
