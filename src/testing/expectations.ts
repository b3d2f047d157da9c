import { TasksError } from "../core/errors.ts";
import { shown } from "../core/options.ts";
import type { AnyTasks } from "../core/tasks.ts";
import { differences, showPart } from "./payload-part.ts";
import type { AnyDelivered, AnyEnqueued, AnyPending } from "./records.ts";
import { deliveredText, enqueuedText, indented, listed, nearestFirst, pendingText } from "./text.ts";

/** What expectations look at: any client of `createTestTasks`. */
export interface AnyTestTasks extends AnyTasks {
  readonly enqueued: readonly AnyEnqueued[];
  readonly pending: readonly AnyPending[];
  readonly running: readonly AnyPending[];
  readonly delivered: readonly AnyDelivered[];
  readonly now: Date;
}

/** Whether something is as expected. */
export interface Finding {
  readonly holds: boolean;
  /** What was expected, or not to be expected if it holds, and what was there instead. */
  readonly text: string;
}

/** Takes what was given to an expectation for a client of tests. @throws TasksError `INVALID_OPTION`. */
export function asTestTasks(expectation: string, value: unknown): AnyTestTasks {
  const { enqueued, pending, delivered } = (value ?? {}) as Partial<AnyTestTasks>;
  if ([enqueued, pending, delivered].every(Array.isArray)) return value as AnyTestTasks;
  throw new TasksError(
    "INVALID_OPTION",
    `${expectation}: expected a client of createTestTasks, got ${shown(value)}; createTasks makes clients that keep no records`,
  );
}

interface Search<T> {
  /** As in `expected it to be enqueued`. */
  readonly verb: string;
  readonly records: readonly T[];
  readonly text: (record: T) => string;
  readonly counts: (record: T) => boolean;
}

/** Whether a task was enqueued. */
export function isEnqueued(tasks: AnyTestTasks, route: { readonly path: string }, part: unknown): Finding {
  const search = { verb: "be enqueued", records: tasks.enqueued, text: enqueuedText, counts: () => true };
  return find(search, tasks.runtime.registry.resolve(route).path, part);
}

/** Whether a task was delivered, whatever came of it. */
export function isDelivered(tasks: AnyTestTasks, route: { readonly path: string }, part: unknown): Finding {
  const search = { verb: "be delivered", records: tasks.delivered, text: deliveredText, counts: () => true };
  return find(search, tasks.runtime.registry.resolve(route).path, part);
}

/** Whether a task was delivered, returned and was acknowledged. */
export function isSucceeded(tasks: AnyTestTasks, route: { readonly path: string }, part: unknown): Finding {
  const search = { verb: "succeed", records: tasks.delivered, text: deliveredText, counts: hasSucceeded };
  return find(search, tasks.runtime.registry.resolve(route).path, part);
}

/** Whether a delivery is one of a run that succeeded. */
export function hasSucceeded({ acknowledged, outcome }: AnyDelivered): boolean {
  return acknowledged && outcome.type === "done";
}

/** Whether nothing waits and nothing is under way. */
export function isDrained({ pending, running, now }: AnyTestTasks): Finding {
  const left = [
    ...running.map((record) => `${pendingText({ ...record, due: now }, now.getTime())}, under way`),
    ...pending.map((record) => pendingText(record, now.getTime())),
  ];
  if (left.length === 0) return { holds: true, text: "expected tasks to be left, got none" };
  const tasks = left.length === 1 ? "1 task" : `${left.length} tasks`;
  return { holds: false, text: `expected no task to be left, got ${tasks}\n${listed(left)}` };
}

function find<T extends AnyEnqueued | AnyDelivered>(search: Search<T>, path: string, part: unknown): Finding {
  const { verb, records, text, counts } = search;
  const own = records
    .filter((record) => record.path === path)
    .map((record) => ({ record, wrong: part === undefined ? [] : differences(part, record.payload) }));
  const found = own.filter(({ record, wrong }) => wrong.length === 0 && counts(record));
  const wanted = part === undefined ? "" : ` with\n${indented(showPart(part))}\n`;
  if (found.length > 0) {
    const got = listed(found.map(({ record }) => text(record)));
    return { holds: true, text: `expected "${path}" not to ${verb}${wanted || ", "}got\n${got}` };
  }
  const expected = `expected "${path}" to ${verb}${wanted || ", "}`;
  if (own.length > 0) {
    const nearest = own.sort((a, b) => a.wrong.length - b.wrong.length);
    const got = nearest.map(({ record, wrong }) => [text(record), ...wrong.map((line) => indented(line))].join("\n"));
    return { holds: false, text: `${expected}got\n${listed(got)}` };
  }
  const others = nearestFirst(records, path).map(text);
  const got = others.length === 0 ? "got nothing at all" : `got none of it, but\n${listed(others)}`;
  return { holds: false, text: `${expected}${got}` };
}
