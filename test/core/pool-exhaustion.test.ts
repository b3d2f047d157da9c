import { describe, expect, it } from "vitest";
import { TasksError } from "../../src/core/errors.ts";
import { isPoolExhausted } from "../../src/core/pool-exhaustion.ts";

/** An error as a driver throws it: message, and what the driver puts beside it. */
function driverError(message: string, fields: { name?: string; code?: unknown; cause?: unknown } = {}): Error {
  return Object.assign(new Error(message), fields);
}

const pgTimeout = driverError("timeout exceeded when trying to connect");

function wrapped(error: unknown, times: number): unknown {
  return times === 0 ? error : wrapped(new Error("query failed", { cause: error }), times - 1);
}

describe("an exhausted pool", () => {
  const exhausted: readonly [driver: string, error: Error][] = [
    ["pg: the server has no connection left", driverError("sorry, too many clients already", { code: "53300" })],
    ["pg: its pool has timed out", pgTimeout],
    [
      "Prisma: its pool has timed out",
      driverError("Timed out fetching a new connection from the connection pool.", {
        name: "PrismaClientKnownRequestError",
        code: "P2024",
      }),
    ],
    [
      "Knex: its pool has timed out",
      driverError(
        "Knex: Timeout acquiring a connection. The pool is probably full. Are you missing a .transacting(trx) call?",
        {
          name: "KnexTimeoutError",
        },
      ),
    ],
    ["MySQL: the server has no connection left", driverError("Too many connections", { code: "ER_CON_COUNT_ERROR" })],
    [
      "MySQL: the user has no connection left",
      driverError("User app already has more than 'max_user_connections' active connections", {
        code: "ER_TOO_MANY_USER_CONNECTIONS",
      }),
    ],
    ["MySQL: the user is limited", driverError("User app has exceeded the limit", { code: "ER_USER_LIMIT_REACHED" })],
    ["mysql2: the pool's queue is full", driverError("Queue limit reached.")],
    ["mysql: the pool does not wait", driverError("No connections available.")],
  ];

  it.each(exhausted)("is known from %s", (_driver, error) => {
    expect(isPoolExhausted(error)).toBe(true);
  });

  it.each(exhausted)("is known however deep an ORM wraps it: %s", (_driver, error) => {
    for (const times of [1, 2, 7]) expect(isPoolExhausted(wrapped(error, times))).toBe(true);
  });

  const cycle = new Error("cycle");
  cycle.cause = cycle;

  const other: readonly [what: string, error: unknown][] = [
    ["any error", new Error("broken")],
    ["a unique violation", driverError("duplicate key value violates unique constraint", { code: "23505" })],
    ["a missing record", driverError("No record found", { code: "P2025" })],
    [
      "a query's own timeout in Knex",
      driverError("Defined query timeout of 100ms exceeded", { name: "KnexTimeoutError" }),
    ],
    ["a refused connection", driverError("connect ECONNREFUSED 127.0.0.1:5432", { code: "ECONNREFUSED" })],
    ["the same code as a number", driverError("status", { code: 53300 })],
    ["a message that only mentions it", driverError("the log says: timeout exceeded when trying to connect")],
    ["a timeout of this library", new TasksError("TIMEOUT", "timeout exceeded when trying to connect now")],
    ["a text", "timeout exceeded when trying to connect"],
    ["an object", { code: "53300" }],
    ["nothing", undefined],
    ["an error that causes itself", cycle],
    ["a cause more than seven deep", wrapped(pgTimeout, 8)],
    ["one of several errors, of which others may be real", new AggregateError([pgTimeout, new Error("broken")])],
  ];

  it.each(other)("is not %s", (_what, error) => {
    expect(isPoolExhausted(error)).toBe(false);
  });
});
