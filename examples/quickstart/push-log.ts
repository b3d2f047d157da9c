/** Remembers every push request and its answer, so that the tour can show them and wait for them. */
import type { RequestHandler } from "express";
import type { FinishedEvent, Hooks, Logger } from "taskroute";

/** One push request, answered. */
export interface Push {
  /** Status of the answer. */
  readonly status: number;
  /** What the task came to; `undefined` when the request never got as far as a task. */
  readonly finished: FinishedEvent | undefined;
  readonly authorization: string | undefined;
  /** The request's body: a wrapped Pub/Sub message. */
  readonly body: PushBody;
}

interface PushBody {
  readonly message: { readonly data: string; readonly messageId: string; readonly publishTime: string };
  readonly subscription: string;
}

export class PushLog {
  readonly pushes: Push[] = [];
  readonly #finished = new Map<string, FinishedEvent>();
  #news = Promise.withResolvers<void>();

  /** Told by the library what became of each delivery, just before the answer is sent. */
  readonly hooks: Hooks = {
    finished: (event) => this.#finished.set(event.messageId, event),
  };

  /** The last line that the library logged. */
  lastLine = "";

  /** Keeps the console for the tour; a service of your own needs no logger, the console is the default. */
  readonly logger: Logger = {
    debug: () => {},
    info: (message, fields) => this.#note(message, fields),
    warn: (message, fields) => this.#note(message, fields),
    error: (message, fields) => this.#note(message, fields),
  };

  #note(message: string, { reason }: Record<string, unknown> = {}): void {
    this.lastLine = reason === undefined ? message : `${message}: ${reason}`;
  }

  /** Stands before the push handler, and notes the answer when it has been sent. */
  readonly record: RequestHandler = (request, response, next) => {
    const body: PushBody = request.body;
    const { authorization } = request.headers;
    response.on("finish", () => {
      const finished = this.#finished.get(body.message.messageId);
      this.#finished.delete(body.message.messageId);
      this.pushes.push({ status: response.statusCode, finished, authorization, body });
      this.#news.resolve();
      this.#news = Promise.withResolvers();
    });
    next();
  };

  /** All pushes from number `from` on, past and to come, without end. */
  async *from(from: number): AsyncGenerator<Push, never> {
    for (let index = from; ; index++) {
      while (index >= this.pushes.length) await this.#news.promise;
      yield this.pushes[index] as Push;
    }
  }

  /** The pushes of a route from number `from` on, past and to come, up to the first that is acknowledged. */
  async *of(route: { readonly path: string }, from: number = this.pushes.length): AsyncGenerator<Push> {
    for await (const push of this.from(from)) {
      if (push.finished?.path !== route.path) continue;
      yield push;
      if (push.status === 200) return;
    }
  }
}
