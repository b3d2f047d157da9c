import type { Logger } from "../core/logger.ts";
import type { Journal } from "./journal.ts";
import type { Lane } from "./lane.ts";
import type { Message } from "./message.ts";
import { revivedMessage, type StoredMessage } from "./stored-message.ts";

/** Messages that a file keeps, until somebody runs their route. */
export class Strangers {
  readonly #byPath = new Map<string, StoredMessage[]>();

  constructor(journal: Journal | undefined) {
    for (const stored of journal?.messages() ?? []) {
      const [, , path] = stored;
      const others = this.#byPath.get(path);
      if (others === undefined) this.#byPath.set(path, [stored]);
      else others.push(stored);
    }
  }

  /** Takes out the messages of a lane's route, as they were when they were last written down. */
  *of(lane: Lane): Generator<Message> {
    const kept = this.#byPath.get(lane.route.path) ?? [];
    this.#byPath.delete(lane.route.path);
    for (const stored of kept) yield revivedMessage(stored, lane);
  }

  /** Says which routes nobody runs, though tasks of theirs wait: those kept here, or others in the line. */
  report(line: readonly Message[], logger: Logger): void {
    const counts = new Map([...this.#byPath].map(([path, kept]) => [path, kept.length]));
    for (const { lane, isFinished } of line)
      if (lane.host === undefined && !isFinished) counts.set(lane.route.path, (counts.get(lane.route.path) ?? 0) + 1);
    if (counts.size === 0) return;
    const waiting = [...counts].map(([path, count]) => `${path} (${count})`);
    logger.warn("the local queue keeps tasks of routes that are not in the list; they wait for their route", {
      waiting,
    });
  }
}
