import { Fifo } from "../core/fifo.ts";
import type { Lane } from "./lane.ts";
import type { Line } from "./line.ts";
import type { Message } from "./message.ts";

interface Queue {
  /** The one that may be delivered, or is being delivered. */
  head: Message;
  readonly behind: Fifo<Message>;
}

/**
 * A line that keeps messages of one ordering key in order: one waits behind another of its route and key until that one is
 * finished, acknowledged or given up. All others go straight to the line behind it.
 */
export class Order implements Line {
  readonly #line: Line;
  readonly #queues = new Map<string, Queue>();

  constructor(line: Line) {
    this.#line = line;
  }

  place(message: Message): void {
    if (this.#admits(message)) this.#line.place(message);
  }

  /** Takes note that a message is finished: the next of its key takes its place. */
  pass(message: Message): void {
    const key = keyOf(message);
    const queue = key === undefined ? undefined : this.#queues.get(key);
    if (key === undefined || queue?.head !== message) return;
    let next = queue.behind.shift();
    while (next?.isFinished) next = queue.behind.shift();
    if (next === undefined) {
      this.#queues.delete(key);
      return;
    }
    queue.head = next;
    this.#line.place(next);
  }

  /** The messages that wait for others of their key. */
  held(): Message[] {
    return [...this.#queues.values()].flatMap(({ behind }) => [...behind].filter(({ isFinished }) => !isFinished));
  }

  resume(lane: Lane): void {
    this.#line.resume(lane);
  }

  take(message: Message): boolean {
    return this.#line.take(message);
  }

  forget(message: Message): void {
    const key = keyOf(message);
    const head = key === undefined ? undefined : this.#queues.get(key)?.head;
    // One that waits behind another has never come to the line.
    if (head === undefined || head === message) this.#line.forget(message);
  }

  waiting(): readonly Message[] {
    return this.#queues.size === 0 ? this.#line.waiting() : [...this.#line.waiting(), ...this.held()];
  }

  close(): void {
    this.#line.close();
  }

  #admits(message: Message): boolean {
    const key = keyOf(message);
    if (key === undefined) return true;
    const queue = this.#queues.get(key);
    if (queue === undefined) this.#queues.set(key, { head: message, behind: new Fifo() });
    else if (queue.head !== message) queue.behind.push(message);
    return queue === undefined || queue.head === message;
  }
}

function keyOf({ lane, task: { orderingKey } }: Message): string | undefined {
  return orderingKey === undefined || orderingKey === "" ? undefined : `${lane.route.path}\n${orderingKey}`;
}
