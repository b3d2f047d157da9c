import { Busy } from "../core/errors.ts";
import type { Middleware } from "../core/invoke.ts";
import type { Outcome } from "../core/outcome.ts";

/** What a run came to whose process died under it. */
export function processDied(): Outcome {
  const error = new Error("the process died before the delivery was acknowledged");
  error.name = "ProcessDied";
  return { type: "failed", error, retryAfter: undefined };
}

/** The process that the tasks of a test run in: it can die, and is there again at once, without its memory. */
export class TestProcess {
  readonly #runs = new Set<(death: Error) => void>();
  readonly #forget: () => void;

  /** @param forget called when the process dies. */
  constructor(forget: () => void) {
    this.#forget = forget;
  }

  /** Wraps every run, so that it ends with its process. `Busy` ends it without an attempt or a dead letter. */
  readonly middleware: Middleware = async (_info, next) => {
    const death = Promise.withResolvers<never>();
    this.#runs.add(death.reject);
    try {
      return await Promise.race([next(), death.promise]);
    } finally {
      this.#runs.delete(death.reject);
    }
  };

  /** Ends all runs where they stand. Code that waits for something goes on once it has come: nothing can stop that. */
  die(): void {
    for (const end of this.#runs) end(new Busy("the process died"));
    this.#forget();
  }
}
