import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { openJournalFile } from "../../src/engine/journal-file.ts";
import { queueFile } from "../support/queue-file.ts";
import { refusalOf } from "../support/refusal.ts";

/** A sound file with a hundred messages in it. */
function filled(): string {
  const file = queueFile();
  const database = openJournalFile(file, "normal");
  const insert = database.prepare(
    "INSERT INTO messages VALUES (?, 't', 'x.y', ?, 0, 0, 0, NULL, 0, 0, 0, 0, 0, 0, NULL)",
  );
  for (let number = 1; number <= 100; number++) insert.run(number, "x".repeat(200));
  database.close();
  return file;
}

/** A file of bytes. */
function bytes(content: string | Uint8Array): string {
  const file = queueFile();
  writeFileSync(file, content);
  return file;
}

/** A database of somebody else's. */
function foreign(sql: string): string {
  const file = queueFile();
  const database = new DatabaseSync(file);
  database.exec(sql);
  database.close();
  return file;
}

function changed(file: string, change: (content: Buffer) => void): string {
  const content = readFileSync(file);
  change(content);
  writeFileSync(file, content);
  return file;
}

describe("a file that is no sound queue", () => {
  it.each<[what: string, make: () => string, text: string]>([
    ["text", () => bytes("not a database at all"), "expected a queue of taskroute, got another kind of file"],
    ["one byte", () => bytes("x"), "expected a queue of taskroute, got another kind of file"],
    ["a header alone", () => bytes("SQLite format 3\0"), "expected a queue of taskroute, got another kind of file"],
    ["a long text", () => bytes("not a database\n".repeat(1000)), "expected a queue of taskroute, got another kind"],
    [
      "another program's database",
      () => foreign("PRAGMA application_id = 1234; CREATE TABLE t(a)"),
      "expected a queue of taskroute, got the database of another program",
    ],
    [
      "a database that says nothing of its program",
      () => foreign("CREATE TABLE t(a); INSERT INTO t VALUES (1)"),
      "expected a queue of taskroute, got the database of another program",
    ],
    [
      "a later version's queue",
      () => {
        const file = filled();
        const database = new DatabaseSync(file);
        database.exec("PRAGMA journal_mode = DELETE; PRAGMA user_version = 3");
        database.close();
        return file;
      },
      "expected a queue of version 2 or earlier, got version 3; update taskroute",
    ],
    [
      "a queue with a page overwritten",
      () => changed(filled(), (content) => content.fill(0xff, content.length - 4096)),
      "expected a sound file, got a damaged one",
    ],
    [
      "a queue with its first table gone",
      () => changed(filled(), (content) => content.fill(0, 100, 4096)),
      "expected a sound file, got a damaged one",
    ],
    [
      "half a queue",
      () => {
        const file = filled();
        truncateSync(file, Math.floor(statSync(file).size / 2));
        return file;
      },
      "expected a sound file, got a damaged one",
    ],
  ])("is refused and left as it is: %s", (_, make, text) => {
    const file = make();
    const before = readFileSync(file);
    const message = refusalOf(() => openJournalFile(file, "normal"), "INVALID_CONFIG");
    expect(message).toContain(`local queue ${file}: ${text}`);
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  it("is refused: a folder, and a place below a file", () => {
    const folder = queueFile();
    mkdirSync(folder);
    refusalOf(() => openJournalFile(folder, "normal"), "INVALID_CONFIG");
    refusalOf(() => openJournalFile(join(bytes("x"), "queue.db"), "normal"), "INVALID_CONFIG");
  });
});

describe("a file of an earlier version", () => {
  it("is brought up to date, with what it keeps", () => {
    const file = filled();
    const earlier = new DatabaseSync(file);
    earlier.exec(
      "PRAGMA journal_mode = DELETE; ALTER TABLE messages DROP COLUMN ordering_key; PRAGMA user_version = 1",
    );
    const kept = earlier.prepare("SELECT * FROM messages").all();
    earlier.close();
    const database = openJournalFile(file, "normal");
    expect(kept.length).toBeGreaterThan(0);
    expect(database.prepare("SELECT * FROM messages").all()).toEqual(
      kept.map((row) => ({ ...row, ordering_key: null })),
    );
    database.close();
    openJournalFile(file, "normal").close();
  });
});

describe("a file that is made", () => {
  it("says in its header whose it is, before anything is in it", () => {
    const file = queueFile();
    const database = openJournalFile(file, "normal");
    expect(readFileSync(file).subarray(68, 72).toString()).toBe("TROU");
    expect(readFileSync(file).readUInt32BE(60)).toBe(2);
    database.close();
  });

  it("is taken up where a process was killed that had just begun to make it", () => {
    const empty = bytes("");
    openJournalFile(empty, "normal").close();
    const begun = foreign("CREATE TABLE t(a); DROP TABLE t");
    openJournalFile(begun, "normal").close();
    expect(readFileSync(begun).subarray(68, 72).toString()).toBe("TROU");
  });

  it("has its folder made for it, which keeps itself out of version control", () => {
    const folder = join(queueFile(), "deep", ".taskroute");
    openJournalFile(join(folder, "local.db"), "normal").close();
    expect(readFileSync(join(folder, ".gitignore"), "utf8")).toBe("*\n");
  });

  it.each([
    ["normal", 1],
    ["full", 2],
  ] as const)("is written as far as was asked: %s", (synchronous, level) => {
    const database = openJournalFile(queueFile(), synchronous);
    expect(database.prepare("PRAGMA synchronous").get()).toEqual({ synchronous: level });
    expect(database.prepare("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
    database.close();
  });
});

describe("a file that another process holds", () => {
  const holder = `
    const { openJournalFile } = await import(process.argv[1]);
    openJournalFile(process.argv[2], "normal");
    process.stdout.write("held");
    setInterval(() => {}, 1000);`;
  const source = new URL("../../src/engine/journal-file.ts", import.meta.url).href;

  const tryToOpen = `
    const { openJournalFile } = await import(process.argv[1]);
    try { openJournalFile(process.argv[2], "normal"); process.stdout.write("opened"); }
    catch (error) { process.stdout.write(error.code + (error.message.includes("another process") ? " held" : "")); }`;
  const opened = (file: string) =>
    execFileSync(process.execPath, ["--input-type=module", "-e", tryToOpen, source, file], { encoding: "utf8" });

  it("stays refused to others, whatever this process tries with it besides", () => {
    const file = filled();
    const database = openJournalFile(file, "normal");
    refusalOf(() => openJournalFile(file, "normal"), "INVALID_CONFIG");
    refusalOf(() => openJournalFile(file, "full"), "INVALID_CONFIG");
    expect(opened(file)).toBe("INVALID_CONFIG held");
    database.close();
    expect(opened(file)).toBe("opened");
  });

  it("is refused while that one lives, and taken over once it was killed", async () => {
    const file = filled();
    const child = spawn(process.execPath, ["--input-type=module", "-e", holder, source, file]);
    await once(child.stdout, "data");
    const message = refusalOf(() => openJournalFile(file, "normal"), "INVALID_CONFIG");
    expect(message).toBe(
      `local queue ${file}: expected to be its only user, got a file that another process, or another thread of this one, holds; stop that one, or give this one a file of its own with TASKS_LOCAL_FILE`,
    );
    child.kill("SIGKILL");
    await once(child, "exit");
    const database = openJournalFile(file, "normal");
    expect(database.prepare("SELECT count(*) AS count FROM messages").get()).toEqual({ count: 100 });
    database.close();
  });
});

describe("a file whose process was killed in the middle of a write that it had begun", () => {
  const writer = `
    const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
    const database = new DatabaseSync(process.argv[1]);
    database.exec("PRAGMA journal_mode = DELETE; PRAGMA cache_size = 1; BEGIN; CREATE TABLE extra(a)");
    const insert = database.prepare("INSERT INTO extra VALUES (?)");
    for (let row = 0; row < 500; row++) insert.run("x".repeat(2000));
    process.kill(process.pid, "SIGKILL");`;
  const kill = (file: string) => {
    const { signal } = spawnSync(process.execPath, ["--input-type=module", "-e", writer, file]);
    expect(signal).toBe("SIGKILL");
    expect(statSync(`${file}-journal`).size).toBeGreaterThan(0);
  };

  it("is taken up as it was before", () => {
    const file = filled();
    kill(file);
    const database = openJournalFile(file, "normal");
    expect(database.prepare("SELECT count(*) AS count FROM messages").get()).toEqual({ count: 100 });
    expect(database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'extra'").get()).toBeUndefined();
    database.close();
  });

  it("is left to its own program if it is not ours", () => {
    const file = foreign("PRAGMA application_id = 1234; CREATE TABLE t(a)");
    kill(file);
    const before = readFileSync(file);
    const message = refusalOf(() => openJournalFile(file, "normal"), "INVALID_CONFIG");
    expect(message).toContain("got the unfinished database of another program");
    expect(readFileSync(file).equals(before)).toBe(true);
  });
});
