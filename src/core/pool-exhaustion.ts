/** PostgreSQL `too_many_connections`. https://www.postgresql.org/docs/current/errcodes-appendix.html */
const POSTGRES_TOO_MANY_CONNECTIONS = "53300";
/** Prisma: "Timed out fetching a new connection from the connection pool." https://www.prisma.io/docs/orm/reference/error-reference#p2024 */
const PRISMA_POOL_TIMEOUT = "P2024";
/** MySQL and MariaDB server errors 1040, 1203 and 1226. https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html */
const MYSQL_CODES: ReadonlySet<string> = new Set([
  "ER_CON_COUNT_ERROR",
  "ER_TOO_MANY_USER_CONNECTIONS",
  "ER_USER_LIMIT_REACHED",
]);

/** Texts of errors that carry no code: pg's pool, node-redis-style pools excluded on purpose (they are not databases). */
const MESSAGES: readonly string[] = [
  // pg-pool, when connectionTimeoutMillis passes.
  "timeout exceeded when trying to connect",
  // mysql2, when queueLimit is reached.
  "Queue limit reached.",
  // mysql, when waitForConnections is false.
  "No connections available.",
];

function saysExhausted(error: Error): boolean {
  const code = (error as { code?: unknown }).code;
  if (typeof code === "string") {
    if (code === POSTGRES_TOO_MANY_CONNECTIONS || code === PRISMA_POOL_TIMEOUT || MYSQL_CODES.has(code)) return true;
  }
  // Knex: KnexTimeoutError "Timeout acquiring a connection. The pool is probably full."
  if (error.name === "KnexTimeoutError") return error.message.includes("acquiring a connection");
  return MESSAGES.includes(error.message);
}

/**
 * Whether an error means that a database's connections are used up: the task never had a chance, so the delivery is
 * answered with 429 and does not count as an attempt. Looks along `cause`, as ORMs wrap what their driver threw.
 */
export function isPoolExhausted(error: unknown): boolean {
  try {
    let current = error;
    for (let depth = 0; depth < 8 && current instanceof Error; depth++) {
      if (saysExhausted(current)) return true;
      current = current.cause;
    }
  } catch {
    // An error whose getters throw says nothing of the kind.
  }
  return false;
}
