import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { AnyRoute } from "./declaration.ts";
import { assertPlain, isObject } from "./envelope.ts";
import { TasksError } from "./errors.ts";
import { shown } from "./options.ts";
import { isThenable } from "./thenable.ts";

/** How many of a schema's issues an error text names. */
const SHOWN_ISSUES = 5;

/** `userId: expected string; items.0.count: …` */
function describeIssues(issues: readonly StandardSchemaV1.Issue[]): string {
  const lines = issues.slice(0, SHOWN_ISSUES).map((issue) => {
    const path = (issue.path ?? []).map((part) => String(typeof part === "object" ? part.key : part)).join(".");
    return path === "" ? issue.message : `${path}: ${issue.message}`;
  });
  const more = issues.length - lines.length;
  return more > 0 ? `${lines.join("; ")}; and ${more} more` : lines.join("; ");
}

/**
 * Runs a payload through its route's schema; the result is what the task is given. Synchronous when the schema is.
 *
 * @throws TasksError `INVALID_PAYLOAD`, naming the fields but never their values beyond what the schema's own text says.
 */
export function validatePayload(route: AnyRoute, payload: object): unknown {
  if (route.schema === undefined) return payload;
  const result = check(route, route.schema, payload);
  if (!isThenable(result)) return accepted(route, result);
  return result.then(
    (settled) => accepted(route, settled),
    (error: unknown) => {
      throw schemaThrew(route, error);
    },
  );
}

function schemaThrew(route: AnyRoute, cause: unknown): TasksError {
  return new TasksError("INVALID_PAYLOAD", `payload of "${route.path}": its schema threw; see cause`, { cause });
}

function check(
  route: AnyRoute,
  schema: StandardSchemaV1,
  payload: object,
): StandardSchemaV1.Result<unknown> | Promise<StandardSchemaV1.Result<unknown>> {
  try {
    return schema["~standard"].validate(payload);
  } catch (error) {
    throw schemaThrew(route, error);
  }
}

function accepted(route: AnyRoute, result: StandardSchemaV1.Result<unknown>): unknown {
  if (result.issues === undefined) return result.value;
  const text = `payload of "${route.path}": ${describeIssues(result.issues)}`;
  throw new TasksError("INVALID_PAYLOAD", text, { cause: result.issues });
}

/**
 * Turns the input of an enqueue into the JSON text that travels, after checking what will arrive: the parsed text, not the
 * object in hand, so that a `Date` or an `undefined` behaves here as it will in production.
 *
 * @throws TasksError `INVALID_PAYLOAD` when the input is not JSON, not an object, or refused by the schema.
 */
export function encodePayload(route: AnyRoute, input: unknown): string | Promise<string> {
  const text = stringify(route, input ?? {});
  const arriving: unknown = JSON.parse(text);
  if (!isObject(arriving)) {
    throw new TasksError(
      "INVALID_PAYLOAD",
      `payload of "${route.path}": expected an object, got ${shown(arriving)}; wrap the value in one`,
    );
  }
  assertDeliverable(route, arriving);
  const checked = validatePayload(route, arriving);
  return isThenable(checked) ? Promise.resolve(checked).then(() => text) : text;
}

/** What every delivery would refuse must not be enqueued. */
function assertDeliverable(route: AnyRoute, kwargs: object): void {
  try {
    assertPlain({ kwargs }, kwargs);
  } catch (error) {
    throw new TasksError("INVALID_PAYLOAD", `payload of "${route.path}" in a ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function stringify(route: AnyRoute, input: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(input);
  } catch (error) {
    throw new TasksError(
      "INVALID_PAYLOAD",
      `payload of "${route.path}": expected JSON, got a value that cannot be written as JSON (${(error as Error).message})`,
      {
        cause: error,
      },
    );
  }
  if (text === undefined) {
    throw new TasksError("INVALID_PAYLOAD", `payload of "${route.path}": expected an object, got ${shown(input)}`);
  }
  return text;
}

/**
 * The payload of a delivered message: `kwargs`, with positional `args` put under the names that the route gives them.
 *
 * @throws TasksError `INVALID_PAYLOAD` for arguments without a name, or named twice.
 */
export function payloadOf(
  route: AnyRoute,
  args: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>>,
): object {
  if (args.length === 0) return kwargs;
  const names = route.settings.args;
  if (args.length > names.length) {
    throw new TasksError(
      "INVALID_PAYLOAD",
      `payload of "${route.path}": expected at most ${names.length} positional arguments, got ${args.length}; name them in the route's args`,
    );
  }
  const payload: Record<string, unknown> = { ...kwargs };
  for (const [index, value] of args.entries()) {
    const name = names[index] as string;
    if (Object.hasOwn(kwargs, name)) {
      throw new TasksError(
        "INVALID_PAYLOAD",
        `payload of "${route.path}": expected ${name} once, got it by position and by name`,
      );
    }
    payload[name] = value;
  }
  return payload;
}

/**
 * Refuses a schedule whose payload would be refused at every tick, by every delivery or by its own schema; schemas that
 * answer asynchronously are left to the first tick.
 *
 * @throws TasksError `INVALID_PAYLOAD`.
 */
export function assertSchedulePayload(route: AnyRoute): void {
  const text = stringify(route, route.settings.schedulePayload);
  const checked = (() => {
    try {
      const arriving = JSON.parse(text) as object;
      assertDeliverable(route, arriving);
      return validatePayload(route, arriving);
    } catch (error) {
      throw new TasksError(
        "INVALID_PAYLOAD",
        `scheduled ${(error as Error).message}; set schedulePayload to what a tick should carry`,
        { cause: error },
      );
    }
  })();
  if (isThenable(checked)) checked.then(undefined, () => {});
}
