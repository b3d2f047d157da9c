import { describe, expect, it } from "vitest";
import type { Answer } from "./answer.ts";
import type { Project, Side } from "./side.ts";

/** A question to an emulator, and its answer: that of production, and so of ours. */
export interface Case {
  readonly what: string;
  /** Asks in a project that nothing has been made in. */
  ask(project: Project): Promise<unknown>;
  /** JSON, or code and text of a failure. The project is called P. */
  readonly answer: Answer;
  /** The same refusal in the words of Google's emulator, where they are its own. */
  readonly words?: string;
  /** How Google's emulator is not like production. */
  readonly google?: Difference;
}

/** A different answer of Google's emulator. */
export interface Difference {
  readonly answer: Answer;
  /** First cell of the row in docs/guides/emulator.md that tells of it. */
  readonly row: string;
}

/** Holds an emulator to the answers of a table. Nothing that a project holds is seen by another: all may ask at once. */
export function describeCases(title: string, cases: readonly Case[], open: () => Side, concurrent = false): void {
  describe(title, { concurrent }, () => {
    it.each(cases)("$what", async ({ ask, answer, words, google }) => {
      const side = open();
      const project = side.project();
      const own = side.whose === "google" ? (google?.answer ?? words) : undefined;
      expect(await project.answer(ask(project))).toEqual(own ?? answer);
    });
  });
}

/** What is wrong with what a table says of Google's emulator: a difference that is none, words for something else. */
export function contradictions(cases: readonly Case[], rows: readonly string[]): string[] {
  return cases.flatMap(({ what, answer, words, google }) => {
    const own = google?.answer ?? words;
    if (own === undefined) return [];
    if (JSON.stringify(own) === JSON.stringify(answer)) return [`${what}: expected two answers, both are the same`];
    if (google !== undefined)
      return rows.includes(google.row) ? [] : [`${what}: expected a row ${google.row} in the guide, there is none`];
    return codeOf(own) === codeOf(answer) ? [] : [`${what}: expected other words for the same code`];
  });
}

function codeOf(failure: Answer): string {
  return String(failure).split(" ", 1).join();
}
