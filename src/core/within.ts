import type { Clock } from "./clock.ts";

/** Settles as `work` does, or as `late` says when that takes longer than `ms` milliseconds; leaves no timer behind. */
export function within<T>(clock: Clock, ms: number, work: PromiseLike<T>, late: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimeout(() => {
      try {
        resolve(late());
      } catch (error) {
        reject(error);
      }
    }, ms);
    const settled = (settle: () => void) => {
      clock.clearTimeout(timer);
      settle();
    };
    work.then(
      (result) => settled(() => resolve(result)),
      (error: unknown) => settled(() => reject(error)),
    );
  });
}
