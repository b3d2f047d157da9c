import { basename, dirname, join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { isTasksError, TasksError } from "../core/errors.ts";
import { fileSystem } from "./file-system.ts";

/** Marks a file as ours in SQLite's header: "TROU". https://www.sqlite.org/fileformat.html#application_id */
const APPLICATION_ID = 0x54524f55;
/** Version of the tables below. */
const VERSION = 2;
/** Where SQLite's header keeps the mark, big-endian. https://www.sqlite.org/fileformat.html#the_database_header */
const APPLICATION_ID_AT = 68;
/** Result codes; the lower 8 bits of an extended one are its kind. https://www.sqlite.org/rescode.html */
const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;
const SQLITE_READONLY_ROLLBACK = 776;
/** Bytes of the smallest page, and so of the smallest database. */
const SMALLEST = 512;
/** Milliseconds to wait for the process before this one to let go of the file: a restart may overlap with it a little. */
const HAND_OVER_MS = 2000;

/** Bytes that the write-ahead log keeps once it was longer. */
const LOG_LIMIT = 4 * 2 ** 20;
/** A file is written anew when it has more free pages than this, and more than others. */
const FREE_PAGES = 1024;

const TABLES = `
  CREATE TABLE messages (
    number INTEGER PRIMARY KEY, task_id TEXT NOT NULL, path TEXT NOT NULL, payload TEXT NOT NULL,
    enqueued_at REAL NOT NULL, publish_time REAL NOT NULL, due REAL NOT NULL, scheduled_for REAL,
    carried INTEGER NOT NULL, failures INTEGER NOT NULL, rejections INTEGER NOT NULL, sent_back INTEGER NOT NULL,
    lost INTEGER NOT NULL, in_flight INTEGER NOT NULL, ordering_key TEXT
  ) STRICT;
  CREATE TABLE keys (key TEXT PRIMARY KEY, task_id TEXT NOT NULL, number INTEGER NOT NULL, expiry REAL NOT NULL) STRICT;
  CREATE TABLE letters (key TEXT PRIMARY KEY, letter TEXT NOT NULL) STRICT;
  CREATE TABLE ticks (path TEXT PRIMARY KEY, schedule TEXT NOT NULL, tick REAL NOT NULL) STRICT;
  CREATE TABLE numbers (last INTEGER NOT NULL) STRICT;
  INSERT INTO numbers VALUES (0);
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${VERSION};`;

/** From each version to the next: a file of an earlier one is brought up to date when it is opened. */
const UPGRADES: Readonly<Record<number, string>> = { 1: "ALTER TABLE messages ADD COLUMN ordering_key TEXT" };

/**
 * How far a commit goes before an enqueued task counts as kept: `"normal"` outlives the process however it ends, `"full"`
 * also a failure of the machine's power, at the price of waiting for the disk.
 * https://www.sqlite.org/pragma.html#pragma_synchronous
 */
export type Synchronous = "normal" | "full";

const FOREIGN = "delete it if nobody needs it, or use another file";

function refusal(file: string, expected: string, got: string, advice: string, cause?: unknown): TasksError {
  const text = `local queue ${file}: expected ${expected}, got ${got}; ${advice}`;
  return new TasksError("INVALID_CONFIG", text, cause === undefined ? undefined : { cause });
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
    const size = fileSystem().statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    // SQLite takes a stub for an empty database, and would write over it.
    if (size > 0 && size < SMALLEST) throw refusal(file, "a queue of taskroute", "another kind of file", FOREIGN);
    if (size > 0) inspect(sqlite, file);
    return own(new sqlite.DatabaseSync(file, { timeout: HAND_OVER_MS }), synchronous);
  } catch (error) {
    throw explained(file, error);
  }
}

/** What an error of SQLite or of the file system means for the file of a queue. */
function explained(file: string, error: unknown): unknown {
  if (isTasksError(error)) return error;
  const { errcode = 0, message } = error as Error & { readonly errcode?: number };
  switch (errcode & 0xff) {
    case SQLITE_BUSY:
      return refusal(
        file,
        "to be its only user",
        "a file that another process, or another thread of this one, holds",
        "stop that one, or give this one a file of its own with TASKS_LOCAL_FILE",
        error,
      );
    case SQLITE_NOTADB:
      return refusal(file, "a queue of taskroute", "another kind of file", FOREIGN, error);
    case SQLITE_CORRUPT:
      return damaged(file, message, error);
    default:
      return refusal(
        file,
        "a file that can be read and written",
        message,
        "see to the owner and the permissions of it and its folder, or name another one with TASKS_LOCAL_FILE",
        error,
      );
  }
}

/** A folder that is made here keeps itself out of version control. */
function makeFolder(folder: string): void {
  const { existsSync, mkdirSync, writeFileSync } = fileSystem();
  if (existsSync(folder)) return;
  mkdirSync(folder, { recursive: true });
  if (basename(folder) === ".taskroute") writeFileSync(join(folder, ".gitignore"), "*\n");
}

/**
 * Looks at a file without writing to it, through SQLite alone: to close a file that this process has opened in any other
 * way would drop the locks that it holds on it. https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_
 */
function inspect({ DatabaseSync }: typeof import("node:sqlite"), file: string): void {
  const database = new DatabaseSync(file, { readOnly: true, timeout: HAND_OVER_MS });
  const pragma = (name: string): unknown => Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0];
  try {
    const application = pragma("application_id");
    const isEmpty = () => database.prepare("SELECT 1 FROM sqlite_schema").get() === undefined;
    // Without a mark and without a table: what a process leaves that was killed while it made the file.
    if (application !== APPLICATION_ID && (application !== 0 || !isEmpty()))
      throw refusal(file, "a queue of taskroute", "the database of another program", FOREIGN);
    const version = Number(pragma("user_version"));
    if (version > VERSION) {
      const advice = "update taskroute, or use another file";
      throw refusal(file, `a queue of version ${VERSION} or earlier`, `version ${version}`, advice);
    }
    const verdict = pragma("quick_check(1)");
    if (verdict !== "ok") throw damaged(file, String(verdict));
  } catch (error) {
    if ((error as { readonly errcode?: number }).errcode !== SQLITE_READONLY_ROLLBACK) throw error;
    // A process was killed in the middle of its first write. Nobody holds the file then, so that it may be looked into.
    if (readMark(file) !== APPLICATION_ID)
      throw refusal(file, "a queue of taskroute", "the unfinished database of another program", FOREIGN, error);
  } finally {
    database.close();
  }
}

function damaged(file: string, verdict: string, cause?: unknown): TasksError {
  const advice = "restore it, or move it away and start afresh";
  return refusal(file, "a sound file", `a damaged one (${verdict})`, advice, cause);
}

/** The mark in a file's header. */
function readMark(file: string): number {
  const { closeSync, openSync, readSync } = fileSystem();
  const header = Buffer.alloc(100);
  const descriptor = openSync(file, "r");
  try {
    readSync(descriptor, header, 0, header.length, 0);
  } finally {
    closeSync(descriptor);
  }
  return header.readUInt32BE(APPLICATION_ID_AT);
}

/** Takes the file for this process until it ends, however it ends, and makes the tables where there are none. */
function own(database: DatabaseSync, synchronous: Synchronous): DatabaseSync {
  try {
    // The lock is the operating system's: it goes with the process. https://www.sqlite.org/pragma.html#pragma_locking_mode
    database.exec("PRAGMA locking_mode = EXCLUSIVE");
    database.exec("BEGIN EXCLUSIVE");
    // Made before the write-ahead log is switched on, so that the header of the file itself says whose it is.
    if (database.prepare("SELECT 1 FROM sqlite_schema").get() === undefined) database.exec(TABLES);
    else upgrade(database);
    database.exec("COMMIT");
    database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}`);
    database.exec(`PRAGMA journal_size_limit = ${LOG_LIMIT}`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function upgrade(database: DatabaseSync): void {
  let version = Number(database.prepare("PRAGMA user_version").get()?.user_version);
  for (; UPGRADES[version] !== undefined; version++) database.exec(UPGRADES[version] as string);
  database.exec(`PRAGMA user_version = ${version}`);
}

/** Closes a file, and gives back to the file system what it has left over. */
export function closeJournalFile(database: DatabaseSync): void {
  const count = (name: string) => Number(Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
  try {
    const free = count("freelist_count");
    if (free > FREE_PAGES && free * 2 > count("page_count")) database.exec("VACUUM");
  } finally {
    database.close();
  }
}
