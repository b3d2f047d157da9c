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
  /** What ours leaves out. */
  readonly ours?: Difference;
}

/** A different answer. */
export interface Difference {
  readonly answer: Answer;
  /** First cell of the row in docs/guides/emulator.md that tells of it. */
  readonly row: string;
}

/** Holds an emulator to the answers of a table. Nothing that a project holds is seen by another: all may ask at once. */
export function describeCases(title: string, cases: readonly Case[], open: () => Side, concurrent = false): void {
  describe(title, { concurrent }, () => {
    it.each(cases)("$what", async ({ ask, answer, words, google, ours }) => {
      const side = open();
      const project = side.project();
      const own = side.whose === "google" ? (google?.answer ?? words) : ours?.answer;
      expect(await project.answer(ask(project))).toEqual(own ?? answer);
    });
  });
}

/** First cells of the guide's tables, which tell of differences. */
export interface Told {
  readonly ours: readonly string[];
  readonly google: readonly string[];
}

/** What is wrong with what a table says of differences: one that is none, that the guide is silent about, other words for another code. */
export function contradictions(cases: readonly Case[], told: Told): string[] {
  return cases.flatMap(({ what, answer, words, google, ours }) => [
    ...(google === undefined ? [] : untold(what, answer, google, told.google)),
    ...(ours === undefined ? [] : untold(what, answer, ours, told.ours)),
    ...(words === undefined || (words !== answer && codeOf(words) === codeOf(answer))
      ? []
      : [`${what}: expected other words for the same code`]),
  ]);
}

function untold(what: string, answer: Answer, difference: Difference, rows: readonly string[]): string[] {
  if (JSON.stringify(difference.answer) === JSON.stringify(answer))
    return [`${what}: expected two answers, both are the same`];
  return rows.includes(difference.row) ? [] : [`${what}: expected a row ${difference.row} in the guide, there is none`];
}

function codeOf(failure: Answer): string {
  return String(failure).split(" ", 1).join();
}
