import { existsSync, readFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";

interface ProfileNode {
  readonly id: number;
  readonly callFrame: {
    readonly functionName: string;
    readonly url: string;
    /** From 0. */
    readonly lineNumber: number;
    readonly columnNumber: number;
  };
}

/** What `node --cpu-prof` writes. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  /** Node on top of the stack at each sample. */
  readonly samples: readonly number[];
  /** Microseconds since the sample before. */
  readonly timeDeltas: readonly number[];
}

/** One function and the time spent in it, without what it calls. */
export interface SelfTime {
  readonly name: string;
  /** File and line in the sources; empty for the engine's own entries, such as `(garbage collector)`. */
  readonly place: string;
  readonly milliseconds: number;
}

/** Time by function, the most expensive first; without the time in which nothing ran. */
export function selfTimes({ nodes, samples, timeDeltas }: CpuProfile): SelfTime[] {
  const spent = new Map<number, number>();
  for (const [index, id] of samples.entries()) {
    spent.set(id, (spent.get(id) ?? 0) + (timeDeltas[index] ?? 0) / 1000);
  }
  const sources = new Sources();
  const entries = new Map<string, SelfTime>();
  for (const { id, callFrame } of nodes) {
    const name = callFrame.functionName || "(anonymous)";
    if (name === "(idle)" || !spent.has(id)) continue;
    const place = sources.place(callFrame);
    const key = `${name} ${place}`;
    const milliseconds = (entries.get(key)?.milliseconds ?? 0) + (spent.get(id) ?? 0);
    entries.set(key, { name, place, milliseconds });
  }
  return [...entries.values()].sort((a, b) => b.milliseconds - a.milliseconds);
}

/** Finds functions of the build in the sources, by its source maps. */
class Sources {
  readonly #maps = new Map<string, SourceMap | undefined>();

  place({ url, lineNumber, columnNumber }: ProfileNode["callFrame"]): string {
    if (!url.startsWith("file:")) return url === "" ? "" : `${url}:${lineNumber + 1}`;
    const file = fileURLToPath(url);
    const entry = this.#mapOf(file)?.findEntry(lineNumber, columnNumber);
    if (entry !== undefined && "originalSource" in entry) {
      return `${entry.originalSource.replace(/^(\.\.\/)+/, "")}:${entry.originalLine + 1}`;
    }
    return `${relative(process.cwd(), file).replace(/^.*node_modules\//, "")}:${lineNumber + 1}`;
  }

  #mapOf(file: string): SourceMap | undefined {
    if (!this.#maps.has(file)) {
      const map = `${file}.map`;
      const isOurs = !file.includes("/node_modules/") && existsSync(map);
      this.#maps.set(file, isOurs ? new SourceMap(JSON.parse(readFileSync(map, "utf8"))) : undefined);
    }
    return this.#maps.get(file);
  }
}
