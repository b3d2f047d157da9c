import { closeSync, existsSync, mkdirSync, openSync, readSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { TasksError } from "../core/errors.ts";

/** Marks a file as ours in SQLite's header: "TROU". https://www.sqlite.org/fileformat.html#application_id */
const APPLICATION_ID = 0x54524f55;
/** Version of the tables below. */
const VERSION = 1;
/** Where SQLite's header of 100 bytes keeps both, big-endian. https://www.sqlite.org/fileformat.html#the_database_header */
const VERSION_AT = 60;
const APPLICATION_ID_AT = 68;
const MAGIC = "SQLite format 3\0";
/** Result codes. https://www.sqlite.org/rescode.html */
const SQLITE_BUSY = 5;
/** Milliseconds to wait for the process before this one to let go of the file: a restart may overlap with it a little. */
const HAND_OVER_MS = 2000;

const TABLES = `
  CREATE TABLE messages (
    number INTEGER PRIMARY KEY, task_id TEXT NOT NULL, path TEXT NOT NULL, payload TEXT NOT NULL,
    enqueued_at REAL NOT NULL, publish_time REAL NOT NULL, due REAL NOT NULL, scheduled_for REAL,
    carried INTEGER NOT NULL, failures INTEGER NOT NULL, rejections INTEGER NOT NULL, sent_back INTEGER NOT NULL,
    lost INTEGER NOT NULL, in_flight INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE keys (key TEXT PRIMARY KEY, task_id TEXT NOT NULL, number INTEGER NOT NULL, expiry REAL NOT NULL) STRICT;
  CREATE TABLE letters (key TEXT PRIMARY KEY, letter TEXT NOT NULL) STRICT;
  CREATE TABLE ticks (path TEXT PRIMARY KEY, schedule TEXT NOT NULL, tick REAL NOT NULL) STRICT;
  CREATE TABLE numbers (last INTEGER NOT NULL) STRICT;
  INSERT INTO numbers VALUES (0);
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${VERSION};`;

/**
 * How far a commit goes before an enqueued task counts as kept: `"normal"` outlives the process however it ends, `"full"`
 * also a failure of the machine's power, at the price of waiting for the disk.
 * https://www.sqlite.org/pragma.html#pragma_synchronous
 */
export type Synchronous = "normal" | "full";

function refuse(file: string, expected: string, got: string, advice: string, cause?: unknown): never {
  const text = `local queue ${file}: expected ${expected}, got ${got}; ${advice}`;
  throw new TasksError("INVALID_CONFIG", text, cause === undefined ? undefined : { cause });
}

/**
 * Opens the file of a local queue for this process alone, and makes it where there is none. Whatever is not a sound file
 * of this library's is left as it is.
 *
 * @throws TasksError `INVALID_CONFIG` for a file that is in use, foreign, damaged, of a later version or not writable;
 * `UNSUPPORTED` where the runtime has no `node:sqlite`.
 */
export function openJournalFile(file: string, synchronous: Synchronous): DatabaseSync {
  const sqlite = process.getBuiltinModule("node:sqlite") as typeof import("node:sqlite") | undefined;
  if (sqlite === undefined) {
    throw new TasksError(
      "UNSUPPORTED",
      `local queue ${file}: expected a runtime with node:sqlite, got none; use Node 22.18 or later, or keep the queue in memory`,
    );
  }
  try {
    makeFolder(dirname(file));
    if (existsSync(file) && statSync(file).size > 0) inspect(sqlite, file);
    return own(new sqlite.DatabaseSync(file, { timeout: HAND_OVER_MS }), synchronous);
  } catch (error) {
    if (error instanceof TasksError) throw error;
    const { errcode, message } = error as Error & { readonly errcode?: number };
    if (errcode === SQLITE_BUSY) {
      refuse(
        file,
        "to be its only user",
        "a file that another process holds",
        "stop that one, or give this one a file of its own with TASKS_LOCAL_FILE",
        error,
      );
    }
    return refuse(
      file,
      "a file that can be read and written",
      message,
      "mend it, or name another one with TASKS_LOCAL_FILE",
      error,
    );
  }
}

/** A folder that is made here keeps itself out of version control. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  mkdirSync(folder, { recursive: true });
  if (basename(folder) === ".taskroute") writeFileSync(join(folder, ".gitignore"), "*\n");
}

/** Looks at a file without writing to it. */
function inspect({ DatabaseSync }: typeof import("node:sqlite"), file: string): void {
  const header = readHeader(file);
  const foreign = "delete it if nobody needs it, or use another file";
  if (!header.toString("latin1").startsWith(MAGIC))
    refuse(file, "a queue of taskroute", "another kind of file", foreign);
  const application = header.readUInt32BE(APPLICATION_ID_AT);
  // 0 is what a process leaves that was killed while it made the file; own() finds out whether it is empty.
  if (application !== APPLICATION_ID && application !== 0)
    refuse(file, "a queue of taskroute", "the database of another program", foreign);
  const version = header.readUInt32BE(VERSION_AT);
  if (version > VERSION)
    refuse(
      file,
      `a queue of version ${VERSION} or earlier`,
      `version ${version}`,
      "update taskroute, or use another file",
    );
  const database = new DatabaseSync(file, { readOnly: true, timeout: HAND_OVER_MS });
  try {
    const [first] = database.prepare("PRAGMA quick_check(1)").all();
    const verdict = String(Object.values(first ?? {})[0]);
    if (verdict !== "ok") damaged(file, verdict);
    if (application === 0 && database.prepare("SELECT 1 FROM sqlite_schema").get() !== undefined)
      refuse(file, "a queue of taskroute", "the database of another program", foreign);
  } catch (error) {
    const { errcode, message } = error as Error & { readonly errcode?: number };
    if (error instanceof TasksError || errcode === SQLITE_BUSY) throw error;
    damaged(file, message, error);
  } finally {
    database.close();
  }
}

function damaged(file: string, verdict: string, cause?: unknown): never {
  refuse(file, "a sound file", `a damaged one (${verdict})`, "restore it, or move it away and start afresh", cause);
}

function readHeader(file: string): Buffer {
  const header = Buffer.alloc(100);
  const descriptor = openSync(file, "r");
  try {
    readSync(descriptor, header, 0, header.length, 0);
  } finally {
    closeSync(descriptor);
  }
  return header;
}

/** Takes the file for this process until it ends, however it ends, and makes the tables where there are none. */
function own(database: DatabaseSync, synchronous: Synchronous): DatabaseSync {
  try {
    // The lock is the operating system's: it goes with the process. https://www.sqlite.org/pragma.html#pragma_locking_mode
    database.exec("PRAGMA locking_mode = EXCLUSIVE");
    database.exec("BEGIN EXCLUSIVE");
    // Made before the write-ahead log is switched on, so that the header of the file itself says whose it is.
    if (database.prepare("SELECT 1 FROM sqlite_schema").get() === undefined) database.exec(TABLES);
    database.exec("COMMIT");
    database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}
