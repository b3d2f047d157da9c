/**
 * Node's `node:fs`, taken when it is needed: to import a name from it loads all that hangs on it, streams and promises, which
 * is 4 MB and a few milliseconds of every start.
 */
export function fileSystem(): typeof import("node:fs") {
  return process.getBuiltinModule("node:fs");
}
