import { type AnyTasks, createTasks, local, oidc, TaskRoute } from "taskroute";
import { z } from "zod";

export const PUSH_PATH = "/tasks/pubsub";
export const AUDIENCE = "https://service.example/tasks/pubsub";
export const EMAIL = "push@project.iam.gserviceaccount.com";

/** Public keys by key id. */
export type Credentials = Record<string, string>;

const sendWelcomeEmail = new TaskRoute({
  path: "accounts.sendWelcomeEmail",
  payload: z.object({
    userId: z.string(),
    email: z.string(),
    locale: z.enum(["en", "de", "fr"]),
    plan: z.object({ name: z.string(), seats: z.number(), trial: z.boolean() }),
    tags: z.array(z.string()),
    note: z.string(),
  }),
  run: async () => {},
});

/** The service that is pushed to: one route, OIDC on, as in production but for the keys. */
export function createService(credentials: Credentials): AnyTasks {
  return createTasks({
    routes: [sendWelcomeEmail],
    backend: local(),
    auth: oidc({ audience: AUDIENCE, serviceAccounts: [EMAIL], keys: { certificates: async () => credentials } }),
    env: {},
  });
}
