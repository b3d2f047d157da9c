import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** One call of gcloud. */
export interface Call {
  readonly words: readonly string[];
  readonly flags: ReadonlyMap<string, string | boolean>;
}

/** What gcloud answers. */
export interface Answers {
  /** Whether everything that it is asked to describe is there. */
  readonly there: boolean;
  /** State and description of every job that is there. */
  readonly job?: { readonly state: string; readonly description: string };
  /** A word: calls that have it fail. */
  readonly failing?: string;
}

/** Stands in for gcloud: writes down how it was called, word by word. */
const STANDIN = `#!/bin/sh
printf '%s\\0' "$#" "$@" >> "$RECORD"
case " $* " in
  *" $FAILING "*) echo "no" >&2; exit 1 ;;
  *" projects describe "*) echo 123456 ;;
  *" scheduler jobs describe "*) [ "$THERE" = yes ] || exit 1; printf '%s\\t%s\\n' "$STATE" "$DESCRIPTION" ;;
  *" describe "*) [ "$THERE" = yes ] || exit 1 ;;
esac
`;

/** Runs a script with `sh`, and says how it called gcloud; `status` is how it ended. */
export function record(script: string, answers: Answers): { readonly calls: readonly Call[]; readonly status: number } {
  const folder = mkdtempSync(join(tmpdir(), "gcloud-"));
  try {
    const file = join(folder, "calls");
    writeFileSync(file, "");
    writeFileSync(join(folder, "gcloud"), STANDIN, { mode: 0o755 });
    const env = {
      ...process.env,
      PATH: `${folder}:${process.env.PATH}`,
      RECORD: file,
      THERE: answers.there ? "yes" : "no",
      STATE: answers.job?.state ?? "ENABLED",
      DESCRIPTION: answers.job?.description ?? "",
      FAILING: answers.failing ?? "-",
    };
    const status = statusOf(() => execFileSync("sh", ["-s"], { input: script, env, stdio: ["pipe", "pipe", "pipe"] }));
    return { calls: callsIn(readFileSync(file, "utf8")), status };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function statusOf(run: () => unknown): number {
  try {
    run();
    return 0;
  } catch (error) {
    const { status } = error as { status?: number };
    if (status === undefined) throw error;
    return status;
  }
}

function callsIn(recorded: string): readonly Call[] {
  const words = recorded.split("\0").slice(0, -1);
  const calls: Call[] = [];
  while (words.length > 0) calls.push(callOf(words.splice(0, Number(words.shift()))));
  return calls;
}

function callOf(words: readonly string[]): Call {
  const flags = new Map<string, string | boolean>();
  for (const word of words.filter((one) => one.startsWith("--"))) {
    const at = word.indexOf("=");
    if (at !== -1) flags.set(word.slice(2, at), word.slice(at + 1));
    else if (word.startsWith("--no-")) flags.set(word.slice("--no-".length), false);
    else flags.set(word.slice(2), true);
  }
  return { words: words.filter((one) => !one.startsWith("--")), flags };
}
