import type { BackendHost } from "../core/backend.ts";
import type { DeadLetter, DeadLetterBox } from "../core/dead-letter.ts";
import type { AnyRoute } from "../core/declaration.ts";
import { TasksError } from "../core/errors.ts";
import { resourceNames } from "../core/names.ts";
import { redrivenTask, strangeLetter } from "../core/redrive.ts";
import type { GoogleClients } from "./clients.ts";
import { letterOf, messageOf } from "./dead-letter-message.ts";
import { type Leased, LeasedLetters } from "./dead-letter-pull.ts";
import { Gate } from "./gate.ts";
import type { Publisher } from "./publisher.ts";

/** Letters of one route that are looked at, at most. */
const MOST_LETTERS = 10_000;
/** Routes that are looked through at once. */
const AT_ONCE = 8;

/** What dead letters in topics need of their backend. */
export interface DeadLetterScope {
  readonly host: BackendHost;
  readonly clients: GoogleClients;
  readonly publisher: Publisher;
}

/** A letter that is leased, with its message. */
interface Found {
  readonly letter: DeadLetter;
  readonly leased: Leased;
}

/**
 * Dead letters in Pub/Sub: each route's in its `-dead` topic, where Pub/Sub itself forwards what it gives up, and from whose
 * `-dead-sub` subscription they are pulled. Looking at them takes them out of others' sight for a moment, and only shows
 * what Pub/Sub hands out just then: up to 10,000 of a route, and not those that somebody else looks at.
 */
export class DeadLetterTopic implements DeadLetterBox {
  readonly #scope: DeadLetterScope;

  constructor(scope: DeadLetterScope) {
    this.#scope = scope;
  }

  /** Publishes the letter; resolves once Pub/Sub has accepted it. */
  async park(letter: DeadLetter): Promise<void> {
    const topic = `projects/${this.#scope.clients.projectId}/topics/${this.#topicIdOf(letter)}`;
    const message = messageOf(letter);
    await new Promise<void>((resolve, refused) => {
      const takenAt = this.#scope.host.clock.now();
      this.#scope.publisher.publish(topic, { message, takenAt, accepted: () => resolve(), refused });
    });
  }

  /** What no route of the list is the home of goes to the first one's: it must go somewhere, and says whose it is. */
  #topicIdOf({ path }: DeadLetter): string {
    const { config, registry } = this.#scope.host;
    const home = registry.routes.find((route) => route.path === path) ?? this.#routes[0] ?? registry.routes[0];
    if (home === undefined)
      throw new TasksError(
        "UNKNOWN_ROUTE",
        `dead letter of "${path}": expected a route in whose topic it can be kept, got none; list one`,
      );
    return resourceNames(config, home.path).deadLetterTopicName;
  }

  get #routes(): readonly AnyRoute[] {
    const { registry, carries } = this.#scope.host;
    return registry.routes.filter((route) => carries(route));
  }

  async list(): Promise<readonly DeadLetter[]> {
    const letters: DeadLetter[] = [];
    await this.#each(async (found, leased) => {
      letters.push(...found.map(({ letter }) => letter));
      await leased.release(leased.letters);
    });
    return letters.sort((a, b) => a.parkedAt - b.parkedAt);
  }

  async redrive(taskId: string): Promise<boolean> {
    let redriven = false;
    let stranger: DeadLetter | undefined;
    const sent = new Set<string>();
    await this.#each((found, leased) =>
      this.#settle(leased, found, taskId, async (letter) => {
        // A message whose acknowledgement was lost comes again, and is parked again: it is one task all the same.
        const parked = JSON.stringify([letter.path, letter.messageId]);
        if (sent.has(parked)) return true;
        const route = this.#scope.host.registry.routes.find(({ path }) => path === letter.path);
        if (route === undefined) {
          stranger = letter;
          return false;
        }
        await this.#scope.host.send(redrivenTask(letter, route, this.#scope.host.clock.now()));
        sent.add(parked);
        redriven = true;
        return true;
      }),
    );
    if (stranger !== undefined && !redriven) throw strangeLetter(stranger);
    return redriven;
  }

  async drop(taskId: string): Promise<boolean> {
    let dropped = false;
    await this.#each((found, leased) =>
      this.#settle(leased, found, taskId, async () => {
        dropped = true;
        return true;
      }),
    );
    return dropped;
  }

  /** Looks through the letters of every route. @throws the first error, once all have been looked through. */
  async #each(look: (found: readonly Found[], leased: LeasedLetters) => Promise<void>): Promise<void> {
    const { host, clients } = this.#scope;
    const client = await clients.subscriber();
    const gate = new Gate(AT_ONCE);
    const looks = this.#routes.map((route) =>
      gate.pass(async () => {
        const { deadLetterSubscriptionName } = resourceNames(host.config, route.path);
        const name = `projects/${clients.projectId}/subscriptions/${deadLetterSubscriptionName}`;
        const leased = await LeasedLetters.pull(client, name, MOST_LETTERS);
        await look(
          leased.letters.map((one) => ({ letter: letterOf(one.message, route), leased: one })),
          leased,
        );
      }),
    );
    const failed = (await Promise.allSettled(looks)).find(({ status }) => status === "rejected");
    if (failed?.status === "rejected") throw failed.reason;
  }

  /**
   * Does something with the letters of an id; those with which it was done are forgotten, and all others released.
   *
   * @throws what went wrong first, once all that can be settled is.
   */
  async #settle(
    leased: LeasedLetters,
    found: readonly Found[],
    taskId: string,
    act: (letter: DeadLetter) => Promise<boolean>,
  ): Promise<void> {
    const done: Leased[] = [];
    const acting = async () => {
      for (const { letter, leased: one } of found) if (letter.taskId === taskId && (await act(letter))) done.push(one);
    };
    const acted = await Promise.allSettled([acting()]);
    const others = leased.letters.filter((one) => !done.includes(one));
    const settled = await Promise.allSettled([leased.acknowledge(done), leased.release(others)]);
    for (const result of [...acted, ...settled]) if (result.status === "rejected") throw result.reason;
  }
}
