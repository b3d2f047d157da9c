import { sendWelcomeEmail, tasks } from "../../tasks.ts";

/** Makes a user, and leaves the e-mail to a task. */
export async function POST(request: Request): Promise<Response> {
  const { userId } = (await request.json()) as { userId: string };
  await tasks.enqueue(sendWelcomeEmail, { userId });
  return new Response(null, { status: 202 });
}
