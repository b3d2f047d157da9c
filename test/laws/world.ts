import { copyFileSync } from "node:fs";
import type { EnqueueOptions } from "../../src/core/context.ts";
import type { DeadLetter } from "../../src/core/dead-letter.ts";
import { VirtualClock } from "../../src/engine/clock.ts";
import { Journal } from "../../src/engine/journal.ts";
import { queueFile } from "../support/queue-file.ts";
import { type Chronicle, type Doom, Life, type LifeOptions, type Offer } from "./life.ts";

/** An empty queue: to copy it is ten times faster than to make it, which waits for the disk. */
let empty: string | undefined;

function newQueueFile(): string {
  if (empty === undefined) {
    empty = queueFile();
    new Journal({ file: empty, clock: new VirtualClock(), failed: () => {} }).close();
  }
  const file = queueFile();
  copyFileSync(empty, file);
  return file;
}

/** Options of {@link World}. */
export interface WorldOptions extends LifeOptions {
  /** How its processes end, first to last; the one after them lives on. Default: the first one does. */
  readonly dooms?: readonly Doom[];
  /** Default 2026-01-01T00:00:00Z. */
  readonly start?: Date;
}

/** A service on one queue file and on virtual time, whose process is killed now and then and started again. */
export class World implements Chronicle {
  readonly runs: Chronicle["runs"] = [];
  readonly offers: Chronicle["offers"] = [];
  readonly finished: Chronicle["finished"] = [];
  /** When each process was started and when it was killed or closed, in milliseconds since the epoch. */
  readonly lives: { readonly from: number; to: number }[] = [];
  readonly #options: WorldOptions;
  #life: Life | undefined;

  constructor(options: WorldOptions) {
    this.#options = options;
  }

  /** Starts a service, lets things happen to it, and closes what is left of it. */
  static async run<T>(options: WorldOptions, happen: (world: World) => Promise<T>): Promise<T> {
    const world = new World(options);
    await world.#begin(newQueueFile(), (options.start ?? new Date("2026-01-01T00:00:00Z")).getTime());
    try {
      return await happen(world);
    } finally {
      world.#life?.discard();
    }
  }

  /** The process that runs now; started if the one before it is dead. */
  async alive(): Promise<Life> {
    for (;;) {
      const life = this.#life as Life;
      if (life.remains === undefined) return life;
      const { file, at, downtime } = life.remains;
      this.#ended(at);
      await this.#begin(file, at + downtime * 1000);
    }
  }

  /** Milliseconds since the epoch. */
  get now(): number {
    const life = this.#life as Life;
    return life.remains?.at ?? life.clock.now();
  }

  /** When what is due at a moment can be done: then, or when the next process is started if none runs then. */
  servedFrom(due: number): number {
    return Math.max(due, this.lives.find(({ to }) => due <= to)?.from ?? Number.NaN);
  }

  /** Lets seconds pass, through as many processes as it takes. */
  async pass(seconds: number): Promise<void> {
    const target = this.now + seconds * 1000;
    for (;;) {
      const life = await this.alive();
      await life.clock.advanceTo(new Date(Math.max(target, life.clock.now())));
      if (!life.isDead) return;
    }
  }

  /** Enqueues a task in the process that runs now, without waiting for it to be accepted. */
  async offer(path: string, id: string, payload?: Record<string, unknown>, options?: EnqueueOptions): Promise<Offer> {
    return (await this.alive()).offer(path, id, payload, options);
  }

  /** Kills the process, and starts the next one after so many seconds. */
  async crash(downtime: number): Promise<void> {
    (await this.alive()).kill(downtime);
    await this.alive();
  }

  /** Closes the process as it should be, taking as long as it needs, and starts the next one on the same file. */
  async restart(downtime: number): Promise<void> {
    const life = await this.alive();
    let closed = false;
    void life.tasks.close().then(() => {
      closed = true;
    });
    for (let ms = 0; !closed && !life.isDead; ms = 100) await life.clock.advance(ms);
    if (life.isDead) return;
    this.#ended(life.clock.now());
    await this.#begin(life.file, life.clock.now() + downtime * 1000);
  }

  /** The dead letters that there are now. */
  async letters(): Promise<readonly DeadLetter[]> {
    return (await this.alive()).tasks.deadLetters.list();
  }

  async #begin(file: string, start: number): Promise<void> {
    const number = this.lives.length;
    this.lives.push({ from: start, to: Number.POSITIVE_INFINITY });
    this.#life = new Life(this.#options, number, file, start, this, this.#options.dooms?.[number]);
    await this.#life.open();
  }

  #ended(at: number): void {
    const life = this.lives.at(-1);
    if (life !== undefined) life.to = at;
  }
}
