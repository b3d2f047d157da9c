import type { Logger } from "../core/logger.ts";
import { type Journal, type StoredMessage, storedTask } from "./journal.ts";
import type { Lane } from "./lane.ts";
import { Message } from "./message.ts";

/** Messages that a file keeps, until somebody runs their route. */
export class Strangers {
  readonly #byPath = new Map<string, StoredMessage[]>();

  constructor(journal: Journal | undefined) {
    for (const stored of journal?.messages() ?? []) {
      const others = this.#byPath.get(stored.path);
      if (others === undefined) this.#byPath.set(stored.path, [stored]);
      else others.push(stored);
    }
  }

  /** Takes out the messages of a lane's route, as they were when they were last written down. */
  *of(lane: Lane): Generator<Message> {
    const kept = this.#byPath.get(lane.route.path) ?? [];
    this.#byPath.delete(lane.route.path);
    for (const stored of kept) yield revived(stored, lane);
  }

  /** Says how many messages are of routes that nobody runs. They stay in the file. */
  report(logger: Logger): void {
    if (this.#byPath.size === 0) return;
    const waiting = [...this.#byPath].map(([path, kept]) => `${path} (${kept.length})`);
    logger.warn("the local queue keeps tasks of routes that are not in the list; they wait for their route", {
      waiting,
    });
  }
}

function revived(stored: StoredMessage, lane: Lane): Message {
  const { number, publish_time: publishTime, scheduled_for: tick } = stored;
  const scheduledFor = tick === null ? undefined : new Date(tick);
  const message = new Message(storedTask(stored, lane.route), lane, number, publishTime, scheduledFor);
  message.due = stored.due;
  message.failures = stored.failures;
  message.rejections = stored.rejections;
  message.sentBack = stored.sent_back;
  message.lost = stored.lost;
  message.isInFlight = stored.in_flight === 1;
  message.isStored = true;
  return message;
}
