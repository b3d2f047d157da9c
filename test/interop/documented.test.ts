import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { isTasksError } from "../../src/core/errors.ts";
import { decodeDelivery } from "../../src/push/decode.ts";
import { codeIn, tableUnder } from "../support/tables.ts";

const page = readFileSync(join(import.meta.dirname, "../../docs/reference/envelope.md"), "utf8");

/** Whether a delivery with this JSON in its payload is taken. */
function isTaken(json: string): boolean {
  try {
    decodeDelivery(`{"task_id":"1","task_name":"x","kwargs":{"value":${json}}}`, () => undefined, 0);
    return true;
  } catch (error) {
    if (isTasksError(error, "MALFORMED_MESSAGE")) return false;
    throw error;
  }
}

describe("the table of numbers", () => {
  const rows = tableUnder(page, "## Numbers").flatMap(([cell, outcome = ""]) =>
    codeIn(cell).map((json) => ({ json, taken: !outcome.startsWith("refused") })),
  );

  it("has numbers of both kinds", () => {
    expect(new Set(rows.map(({ taken }) => taken))).toEqual(new Set([true, false]));
  });

  it.each(rows)("is right about $json: $taken", ({ json, taken }) => {
    expect(isTaken(json)).toBe(taken);
  });
});
