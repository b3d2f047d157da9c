import type { Clock } from "../core/clock.ts";
import { GRPC, grpcCode, isTransient } from "../google/status.ts";
import type { Service } from "./cloud.ts";
import { RateLimit } from "./rate-limit.ts";

/** Calls that one service is asked for in a minute. Quotas: Pub/Sub 6000 a project, Cloud Scheduler 500 writes, Cloud Tasks 600. */
const CALLS_PER_MINUTE: Readonly<Record<Service, number>> = { pubsub: 5400, scheduler: 450, tasks: 540 };

/** Calls under way at once, unless said otherwise. */
export const CONCURRENCY = 16;

/** How often one call is tried. */
const MOST_TRIES = 6;
/** Milliseconds before the second try, doubled before each further one. */
const FIRST_WAIT_MS = 250;
/** Quotas are by the minute: 2 + 4 + 8 + 16 + 32 seconds wait for the next one. */
const FIRST_QUOTA_WAIT_MS = 2000;
/** A minute, and some. */
const QUOTA_RETURNS_MS = 65_000;

/** What calls to the cloud go through. */
export interface CallsOptions {
  readonly clock: Clock;
  readonly concurrency?: number | undefined;
  /** Of Pub/Sub. */
  readonly callsPerMinute?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** 0–1; for the jitter. Default `Math.random`. */
  readonly random?: (() => number) | undefined;
}

/** What a call is repeated for, besides what passes by itself anyway. */
export interface Repeatable {
  /** Whether NOT_FOUND is: what was made a moment ago is not known everywhere yet. */
  readonly whenNotFound?: boolean;
  /** Whether a lost race is: not for a write that depends on what was read. Default `true`. */
  readonly whenRaced?: boolean;
  /**
   * Whether it completes what has been begun, and would otherwise be left half done: then it is still made once after the
   * signal, at once.
   */
  readonly completes?: boolean;
  /**
   * Asks Pub/Sub once, immediately before each try, whether there may be one. It is called while nothing else can come in
   * between, so that it must not go through {@link Calls} itself.
   */
  readonly guard?: () => Promise<void>;
}

/** Thrown for a call that was given up because of the caller's signal. */
export class Ended extends Error {
  override readonly name: "Ended" = "Ended";
}

/**
 * Makes calls to the cloud: keeps to the rates of its services, and repeats with jitter what fails for a reason that passes.
 * Once the quota of a service stays used up, nothing of it is repeated any more: every call would wait as long, for nothing.
 */
export class Calls {
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  readonly #random: () => number;
  readonly #limits: Readonly<Record<Service, RateLimit>>;
  /** Since when, in milliseconds since the epoch, a service has answered nothing but that its quota is used up. */
  readonly #exhaustedSince = new Map<Service, number>();
  readonly #pausing = new Set<() => void>();
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor({ clock, signal, concurrency, callsPerMinute, random }: CallsOptions) {
    this.#clock = clock;
    this.#signal = signal;
    this.#random = random ?? Math.random;
    this.#free = concurrency ?? CONCURRENCY;
    this.#limits = {
      pubsub: new RateLimit(callsPerMinute ?? CALLS_PER_MINUTE.pubsub, clock),
      tasks: new RateLimit(CALLS_PER_MINUTE.tasks, clock),
      scheduler: new RateLimit(CALLS_PER_MINUTE.scheduler, clock),
    };
    signal?.addEventListener("abort", () => {
      for (const end of this.#pausing) end();
    });
  }

  /** Whether the caller wants no more of it. */
  get ended(): boolean {
    return this.#signal?.aborted === true;
  }

  /** @throws what the last try threw, as it came from Google's client; `Ended` when the signal came first. */
  async run<T>(service: Service, call: () => Promise<T>, repeatable: Repeatable = {}): Promise<T> {
    const { completes = false, guard } = repeatable;
    for (let tries = 1; ; tries++) {
      await this.#turn(this.#limits[service].take(), completes);
      if (guard !== undefined) await this.#turn(this.#limits.pubsub.take(), completes);
      try {
        const answer = await this.#slotted(call, repeatable);
        this.#exhaustedSince.delete(service);
        return answer;
      } catch (error) {
        if (!isPassing(error, repeatable) || tries >= MOST_TRIES || (completes && this.ended)) throw error;
        const code = grpcCode(error);
        if (code === GRPC.RESOURCE_EXHAUSTED && this.#isExhausted(service)) throw error;
        await this.#turn(this.#backoff(tries, code), completes);
      }
    }
  }

  /** Whether a service has let nothing through for longer than a quota takes to come back. */
  #isExhausted(service: Service): boolean {
    const now = this.#clock.now();
    const since = this.#exhaustedSince.get(service) ?? now;
    this.#exhaustedSince.set(service, since);
    return now - since >= QUOTA_RETURNS_MS;
  }

  /** Turns are waited for outside, so that a service whose minute is used up does not hold up the others. */
  async #slotted<T>(call: () => Promise<T>, { guard, completes = false }: Repeatable): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      if (this.ended && !completes) throw new Ended("it was ended early");
      await guard?.();
      return await call();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }

  /** Between half of it and all of it, so that two who raced do not race again. */
  #backoff(tries: number, code: number | undefined): number {
    const first = code === GRPC.RESOURCE_EXHAUSTED ? FIRST_QUOTA_WAIT_MS : FIRST_WAIT_MS;
    return first * 2 ** (tries - 1) * (0.5 + this.#random() / 2);
  }

  /** What completes something waits for no turn any more once the signal has come. */
  async #turn(ms: number, completes: boolean): Promise<void> {
    try {
      await this.wait(ms);
    } catch (error) {
      if (!completes) throw error;
    }
  }

  /** @throws Ended when the signal comes first. */
  wait(ms: number): Promise<void> {
    if (this.ended) return Promise.reject(new Ended("it was ended early"));
    if (ms <= 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const end = () => {
        this.#clock.clearTimeout(timer);
        reject(new Ended("it was ended early"));
      };
      const timer = this.#clock.setTimeout(() => {
        this.#pausing.delete(end);
        resolve();
      }, ms);
      this.#pausing.add(end);
    });
  }
}

/** Pub/Sub says that writers raced as ABORTED, or over HTTP as 409 "raced with another user request". */
function isPassing(error: unknown, { whenNotFound = false, whenRaced = true }: Repeatable): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (code === GRPC.NOT_FOUND) return whenNotFound;
  if (code === GRPC.ABORTED || code === 409 || /raced with another/i.test(String(message))) return whenRaced;
  return isTransient(error);
}
