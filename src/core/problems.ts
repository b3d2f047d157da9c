import { TasksError } from "./errors.ts";

/** Collects what is wrong, so that one error can say everything. */
export class Problems {
  readonly #lines: string[] = [];

  add(line: string): void {
    this.#lines.push(line);
  }

  catch<T>(read: () => T, fallback: T): T {
    try {
      return read();
    } catch (error) {
      this.add((error as Error).message);
      return fallback;
    }
  }

  throwAny(): void {
    if (this.#lines.length === 0) return;
    const count = this.#lines.length === 1 ? "1 problem" : `${this.#lines.length} problems`;
    throw new TasksError(
      "INVALID_CONFIG",
      `environment: ${count}\n${this.#lines.map((line) => `  - ${line}`).join("\n")}`,
    );
  }
}
