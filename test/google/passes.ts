import { fileURLToPath } from "node:url";
import { Gate } from "../../src/google/gate.ts";

/** This file as a program: prints the heap in bytes after each of three rounds through a gate at which somebody always waits. Needs `--expose-gc`. */
export const passes: string = fileURLToPath(import.meta.url);

const ROUND = 100_000;

if (process.argv[1] === passes) {
  const gate = new Gate(1);
  let passed = 0;
  const work = async () => {
    if (++passed % ROUND !== 0) return;
    globalThis.gc?.();
    process.stdout.write(`${process.memoryUsage().heapUsed} `);
  };
  const comeAgain = async () => {
    while (passed < 3 * ROUND) await gate.pass(work);
  };
  await Promise.all([comeAgain(), comeAgain(), comeAgain()]);
}
