import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Clock, TimerHandle } from "../core/clock.ts";
import type { DeadLetter } from "../core/dead-letter.ts";
import type { AnyRoute } from "../core/declaration.ts";
import { TasksError } from "../core/errors.ts";
import { fileSystem } from "./file-system.ts";
import { closeJournalFile, openJournalFile, type Synchronous } from "./journal-file.ts";
import type { Message } from "./message.ts";
import type { LetterJournal } from "./parked.ts";
import { type StoredMessage, storedMessage } from "./stored-message.ts";

/** Milliseconds after which a commit that failed is tried again. */
const RETRY_MS = 1000;

/** Milliseconds after which the file's place is looked at again. */
const LOOK_MS = 100;
/** Numbers that are reserved at a time. */
const RESERVE = 10_000;

const INSERT = "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const UPDATE =
  "UPDATE messages SET due = ?, failures = ?, rejections = ?, sent_back = ?, lost = ?, in_flight = ? WHERE number = ?";

/** A dedupe key as the file holds it: held by the message of a number, finished or not. */
export interface StoredKey {
  readonly key: string;
  readonly taskId: string;
  readonly number: number;
  readonly expiry: number;
}

/** Options of {@link Journal}. */
export interface JournalOptions {
  /** Absolute path. */
  readonly file: string;
  /** Default `"normal"`. */
  readonly synchronous?: Synchronous | undefined;
  readonly clock: Clock;
  /** Called when a commit failed, and again only after one has succeeded. */
  failed(error: unknown): void;
}

/**
 * Keeps an engine's queue in a file. What changes in one turn of the event loop is written in one transaction at its end,
 * as it is by then: a task that came and went within a turn is never written at all.
 */
export class Journal implements LetterJournal {
  readonly #options: JournalOptions;
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #update: StatementSync;
  readonly #delete: StatementSync;
  readonly #statements = new Map<string, StatementSync>();
  /** Up to here numbers count as given away, so that it need not be written with each message. */
  #reserved: number;
  readonly #inode: number;
  #lookAgainAt = 0;
  #marked = new Set<Message>();
  #changes: (() => void)[] = [];
  #commit: PromiseWithResolvers<void> | undefined;
  #announcement: Promise<void> | undefined;
  #isFailing = false;
  #retry: TimerHandle | undefined;
  #isClosed = false;

  /** @throws TasksError as {@link openJournalFile}; what SQLite throws about a file whose tables are not as they should be. */
  constructor(options: JournalOptions) {
    this.#options = options;
    this.#database = openJournalFile(options.file, options.synchronous ?? "normal");
    try {
      this.#insert = this.#database.prepare(INSERT);
      this.#update = this.#database.prepare(UPDATE);
      this.#delete = this.#database.prepare("DELETE FROM messages WHERE number = ?");
      this.#reserved = this.#database.prepare("SELECT last FROM numbers").get()?.last as number;
      this.#inode = fileSystem().statSync(options.file).ino;
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  /** The messages kept, in order of publishing. */
  *messages(): Generator<StoredMessage> {
    const statement = this.#database.prepare("SELECT * FROM messages ORDER BY number");
    statement.setReturnArrays(true);
    const rows: Iterable<unknown> = statement.iterate();
    for (const row of rows) yield row as StoredMessage;
  }

  /** The dedupe keys that are still held; forgets the others. */
  keys(now: number): StoredKey[] {
    this.#run("DELETE FROM keys WHERE expiry <= ?", now);
    const rows: unknown[] = this.#database.prepare("SELECT key, task_id AS taskId, number, expiry FROM keys").all();
    return (rows as StoredKey[]).map((row) => ({ ...row, key: JSON.parse(row.key) as string }));
  }

  /** The dead letters kept. */
  letters(): DeadLetter[] {
    const rows = this.#database.prepare("SELECT letter FROM letters").all();
    return rows.map(({ letter }) => JSON.parse(letter as string) as DeadLetter);
  }

  /** The greatest number that a message may have had. */
  lastNumber(): number {
    return this.#reserved;
  }

  /** The last tick of a route's schedule, in milliseconds since the epoch; `undefined` if it had none, or another schedule. */
  lastTick(route: AnyRoute): number | undefined {
    const row = this.#database.prepare("SELECT schedule, tick FROM ticks WHERE path = ?").get(route.path);
    return row?.schedule === scheduleText(route) ? (row.tick as number) : undefined;
  }

  /** Writes a message down as it is at the end of this turn: changed, new, or gone if it is finished by then. */
  mark(message: Message): void {
    if (this.#isClosed) return;
    this.#marked.add(message);
    this.#commitSoon();
  }

  /** Lets a message hold a dedupe key. */
  hold(key: string, message: Message, expiry: number): void {
    this.#change(
      "INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?)",
      JSON.stringify(key),
      message.id,
      message.number,
      expiry,
    );
  }

  /** Lets go of a dedupe key. */
  release(key: string): void {
    this.#change("DELETE FROM keys WHERE key = ?", JSON.stringify(key));
  }

  park(key: string, letter: DeadLetter): void {
    this.#change("INSERT OR REPLACE INTO letters VALUES (?, ?)", JSON.stringify(key), JSON.stringify(letter));
  }

  unpark(key: string): void {
    // A letter that is taken out must be out of the file as well.
    if (this.#isClosed)
      throw new TasksError("CLOSED", "deadLetters: expected an open client, got a closed one; do this before close()");
    this.#change("DELETE FROM letters WHERE key = ?", JSON.stringify(key));
  }

  /** Keeps the last tick of a route's schedule. */
  ticked(route: AnyRoute, tick: number): void {
    this.#change("INSERT OR REPLACE INTO ticks VALUES (?, ?, ?)", route.path, scheduleText(route), tick);
  }

  committed(): Promise<void> {
    return this.#commit?.promise ?? Promise.resolve();
  }

  /** Like `committed`, but after whoever waits for that has been told, and what they do at once is done. */
  announced(): Promise<void> {
    this.#announcement ??= this.committed().then(() => new Promise((resolve) => process.nextTick(resolve)));
    return this.#announcement;
  }

  /**
   * Commits what is left and lets go of the file. What changes later is not written: the next process finds it as it was.
   *
   * @returns whether all was written.
   */
  close(): boolean {
    if (this.#isClosed) return true;
    if (this.#marked.size > 0 || this.#changes.length > 0) this.#commitSoon();
    this.#flush();
    this.#isClosed = true;
    this.#options.clock.clearTimeout(this.#retry);
    closeJournalFile(this.#database);
    return this.#marked.size === 0 && this.#changes.length === 0;
  }

  /** Whether {@link Journal.close} was called. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  #change(sql: string, ...values: (string | number)[]): void {
    if (this.#isClosed) return;
    this.#changes.push(() => this.#run(sql, ...values));
    this.#commitSoon();
  }

  #run(sql: string, ...values: (string | number)[]): void {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    statement.run(...values);
  }

  #commitSoon(): void {
    if (this.#commit !== undefined || this.#isClosed) return;
    this.#commit = Promise.withResolvers();
    this.#announcement = undefined;
    // Whoever is concerned waits for it; a commit that nobody waits for is tried again.
    this.#commit.promise.catch(() => {});
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    const commit = this.#commit;
    if (commit === undefined || this.#isClosed) return;
    this.#commit = undefined;
    try {
      this.#write();
    } catch (error) {
      if (!this.#isFailing) this.#options.failed(error);
      this.#isFailing = true;
      commit.reject(error);
      this.#options.clock.clearTimeout(this.#retry);
      this.#retry = this.#options.clock.setTimeout(() => this.#commitSoon(), RETRY_MS);
      return;
    }
    this.#isFailing = false;
    for (const message of this.#marked) message.isStored = !message.isFinished;
    this.#marked = new Set();
    this.#changes = [];
    commit.resolve();
  }

  #write(): void {
    this.#assertInPlace();
    this.#database.exec("BEGIN");
    try {
      let last = 0;
      for (const message of this.#marked) {
        if (!message.isFinished) this.#store(message);
        else if (message.isStored) this.#delete.run(message.number);
        if (message.number > last) last = message.number;
      }
      for (const change of this.#changes) change();
      if (last > this.#reserved) this.#run("UPDATE numbers SET last = ?", last + RESERVE);
      this.#database.exec("COMMIT");
      if (last > this.#reserved) this.#reserved = last + RESERVE;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  /** What is written to a file that was removed is gone with the process, and another one may have made a new file meanwhile. */
  #assertInPlace(): void {
    const now = performance.now();
    if (now < this.#lookAgainAt) return;
    const { file } = this.#options;
    if (fileSystem().statSync(file, { throwIfNoEntry: false })?.ino !== this.#inode) {
      throw new TasksError(
        "INVALID_CONFIG",
        `local queue ${file}: expected the file that was opened, got none or another one; start the process again, and remove the file only while it does not run`,
      );
    }
    this.#lookAgainAt = now + LOOK_MS;
  }

  #store(message: Message): void {
    if (!message.isStored) {
      this.#insert.run(...storedMessage(message));
      return;
    }
    const { number, due, failures, rejections, sentBack, lost } = message;
    this.#update.run(due, failures, rejections, sentBack, lost, message.isInFlight ? 1 : 0, number);
  }
}

/** What a tick belongs to: under another expression or in another zone there are other ticks. */
function scheduleText({ settings }: AnyRoute): string {
  return `${settings.schedule} ${settings.scheduleTimezone}`;
}
