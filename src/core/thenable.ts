/**
 * Whether a value has to be awaited. Not `instanceof Promise`: query builders return thenables of their own, and test
 * runners have a `Promise` per realm.
 */
export function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return (
    (typeof value === "object" || typeof value === "function") &&
    value !== null &&
    typeof (value as Partial<PromiseLike<T>>).then === "function"
  );
}
