/** The tasks of the Next.js app, and their client. Routes and server actions import it to enqueue. */
import { createTasks, local, TaskRoute } from "taskroute";
import { z } from "zod";

export const sendWelcomeEmail = new TaskRoute({
  path: "accounts.sendWelcomeEmail",
  payload: z.object({ userId: z.string() }),
  run: ({ userId }, { attempt }) => console.log(`task: welcome, user ${userId} (attempt ${attempt})`),
});

export const tasks = createTasks({
  routes: [sendWelcomeEmail],
  // `next start` is production, where a backend in memory has to be asked for.
  backend: local({ allowInProduction: true }),
});
