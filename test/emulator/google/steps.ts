import type { Project, Subscription } from "./side.ts";

/** How error texts about names end. */
export const REFER = "Refer to https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names for more information.";

type Ask<T> = (project: Project) => Promise<T>;

/** Name of something in the project that answers call P. */
export function at(path: string): string {
  return `projects/P/${path}`;
}

/** Asks once there is a topic. */
export function withTopic<T>(ask: Ask<T>): Ask<T> {
  return async (project) => {
    await project.topic();
    return ask(project);
  };
}

/** Asks once there are a topic and a subscription to it. */
export function withSubscription<T>(ask: Ask<T>, fields: Subscription = {}): Ask<T> {
  return withTopic(async (project) => {
    await project.subscription(fields);
    return ask(project);
  });
}

/** The message that a call of Google's client resolves to: the first of several values. */
export async function made<T>(call: Promise<readonly [T, ...unknown[]]>): Promise<T> {
  return (await call)[0];
}

/** A push configuration whose endpoint nobody listens at. */
export const PUSH = { pushEndpoint: "http://127.0.0.1:9/push" } as const;
