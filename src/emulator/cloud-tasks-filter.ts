import { CODES, RpcError } from "./status.ts";

/** What a filter looks at of a queue. */
export interface Filtered {
  readonly name: string;
  readonly state: string;
}

const COMPARISON = /^(name|state)\s*(!=|=|:)\s*"?([^"\s]+)"?$/i;

/**
 * Reads the `filter` of a list of queues: comparisons of `name` or `state` by `=`, `!=` or `:` (holds), joined by AND.
 *
 * @throws RpcError UNIMPLEMENTED for what else the service would take.
 */
export function queueFilter(text: string): (queue: Filtered) => boolean {
  const conditions = text.trim() === "" ? [] : text.trim().split(/\s+AND\s+/);
  const tests = conditions.map(readComparison);
  return (queue) => tests.every((test) => test(queue));
}

function readComparison(text: string): (queue: Filtered) => boolean {
  const [, field = "", operator, wanted = ""] = COMPARISON.exec(text) ?? [];
  if (operator === undefined)
    throw new RpcError(
      CODES.UNIMPLEMENTED,
      `The emulator's filter compares name or state by =, != or :, joined by AND; it cannot read "${text}".`,
    );
  return (queue) => {
    const value = field.toLowerCase() === "name" ? queue.name : queue.state;
    if (operator === ":") return value.includes(wanted);
    return (value === wanted) === (operator === "=");
  };
}
