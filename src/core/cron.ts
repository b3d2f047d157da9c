import { TasksError } from "./errors.ts";

/** One field of a cron expression, expanded. */
export interface CronField {
  /** The values that match, ascending and without repetition. Sunday is 0. */
  readonly values: readonly number[];
  /** Whether the field was written `*`, or with a step of 1 over `*`, which is the same: it then says nothing about the day. */
  readonly unrestricted: boolean;
}

/** A parsed five-field cron expression. */
export interface CronFields {
  readonly minute: CronField;
  readonly hour: CronField;
  readonly dayOfMonth: CronField;
  readonly month: CronField;
  readonly dayOfWeek: CronField;
  /** The expression as Cloud Scheduler documents it: one blank between fields, names in capitals. */
  readonly expression: string;
}

interface FieldRule {
  readonly title: string;
  readonly min: number;
  readonly max: number;
  /** Where `*` ends: 6 for the day of week, whose 7 is a second Sunday. */
  readonly last: number;
  /** Three-letter names; the first stands for `min`. */
  readonly names: readonly string[];
}

const MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const MINUTE: FieldRule = { title: "minute 0-59", min: 0, max: 59, last: 59, names: [] };
const HOUR: FieldRule = { title: "hour 0-23", min: 0, max: 23, last: 23, names: [] };
const DAY_OF_MONTH: FieldRule = { title: "day of month 1-31", min: 1, max: 31, last: 31, names: [] };
const MONTH: FieldRule = { title: "month 1-12 or JAN-DEC", min: 1, max: 12, last: 12, names: MONTHS };
const DAY_OF_WEEK: FieldRule = { title: "day of week 0-7 or SUN-SAT", min: 0, max: 7, last: 6, names: WEEKDAYS };

/** The longest each month can be, January first. */
const MONTH_LENGTHS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

const FIELD_ADVICE = "write *, a number, a range a-b, a step */n or a-b/n, or a list of these";

/** What other crons understand and Cloud Scheduler does not, with what to write instead. */
const FOREIGN_MARKS: Readonly<Record<string, string>> = {
  "?": "write * for any day",
  L: "Cloud Scheduler has no last day; run daily and let the task look at the date",
  W: "Cloud Scheduler has no nearest weekday; run daily and let the task look at the date",
  LW: "Cloud Scheduler has no last weekday; run daily and let the task look at the date",
  "#": "Cloud Scheduler's cron has no nth weekday; run weekly and let the task look at the date",
};

const MACROS: Readonly<Record<string, string>> = {
  "@YEARLY": "0 0 1 1 *",
  "@ANNUALLY": "0 0 1 1 *",
  "@MONTHLY": "0 0 1 * *",
  "@WEEKLY": "0 0 * * 0",
  "@DAILY": "0 0 * * *",
  "@MIDNIGHT": "0 0 * * *",
  "@HOURLY": "0 * * * *",
};

/** Says what is wrong in one field; {@link parseCron} puts the whole expression in front of it. */
class FieldError extends Error {}

function refuse(expected: string, got: string, advice: string): never {
  throw new FieldError(`expected ${expected}, got ${got === "" ? "nothing" : got}; ${advice}`);
}

const isDigit = (character: string): boolean => character >= "0" && character <= "9";
const isLetter = (character: string): boolean => character >= "A" && character <= "Z";

/**
 * Reads one field by recursive descent:
 *
 *     list = item *("," item)
 *     item = "*" ["/" step] / value ["-" value ["/" step]]
 */
class FieldReader {
  readonly #text: string;
  readonly #rule: FieldRule;
  #at = 0;

  constructor(text: string, rule: FieldRule) {
    this.#text = text;
    this.#rule = rule;
  }

  list(): CronField {
    const values = new Set<number>();
    let items = 0;
    let unrestricted = false;
    do {
      const item = this.#item();
      items++;
      unrestricted ||= item.unrestricted;
      // Only 7, the second Sunday, lies beyond `last`.
      for (const value of item.values) values.add(value > this.#rule.last ? 0 : value);
    } while (this.#take(","));
    if (this.#at < this.#text.length) this.#unexpected();
    if (unrestricted && items > 1)
      refuse(this.#rule.title, this.#text, "a list that holds * matches everything; write * alone");
    return { values: [...values].sort((a, b) => a - b), unrestricted };
  }

  #item(): CronField {
    const { min, last } = this.#rule;
    if (this.#take("*")) {
      const step = this.#take("/") ? this.#step() : 1;
      return { values: range(min, last, step), unrestricted: step === 1 };
    }
    const start = this.#at;
    const from = this.#value();
    if (this.#peek() === "/")
      refuse("a step after a range", this.#text, `write ${from}-${last}/n for every n from ${from} on`);
    if (!this.#take("-")) return { values: [from], unrestricted: false };
    const to = this.#value();
    if (from >= to) {
      const written = this.#text.slice(start, this.#at);
      const instead = from === to ? `${from}` : `${span(from, last)},${span(min, to)}`;
      refuse(`a range that ascends within ${this.#rule.title}`, written, `write ${instead}`);
    }
    const step = this.#take("/") ? this.#step() : 1;
    return { values: range(from, to, step), unrestricted: false };
  }

  #value(): number {
    const { title, min, max, names } = this.#rule;
    const word = this.#word();
    if (word === "") this.#unexpected();
    if (isLetter(word[0] ?? "")) {
      const index = names.indexOf(word);
      if (index < 0) refuse(title, word, FOREIGN_MARKS[word] ?? FIELD_ADVICE);
      return min + index;
    }
    const value = Number(word);
    if (value < min || value > max) refuse(title, word, FIELD_ADVICE);
    return value;
  }

  #step(): number {
    const { min, max } = this.#rule;
    const word = this.#word();
    const step = Number(word);
    const legal = word !== "" && Number.isInteger(step) && step >= 1 && step <= max;
    if (!legal) refuse(`a step of 1-${max} for ${this.#rule.title}`, word, `*/n counts from ${min}`);
    return step;
  }

  /** A run of digits or a run of letters; empty when neither follows. */
  #word(): string {
    const start = this.#at;
    const accepts = isDigit(this.#peek()) ? isDigit : isLetter;
    while (accepts(this.#peek())) this.#at++;
    return this.#text.slice(start, this.#at);
  }

  #peek(): string {
    return this.#text[this.#at] ?? "";
  }

  #take(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#at++;
    return true;
  }

  #unexpected(): never {
    const word = this.#word();
    const mark = word === "" ? this.#peek() : word;
    refuse(
      this.#rule.title,
      mark === this.#text || mark === "" ? mark : `${mark} in ${this.#text}`,
      FOREIGN_MARKS[mark] ?? FIELD_ADVICE,
    );
  }
}

/** `from`, `from + step` and so on, up to `to`. */
function range(from: number, to: number, step: number): number[] {
  return Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, index) => from + index * step);
}

function span(from: number, to: number): string {
  return from === to ? `${from}` : `${from}-${to}`;
}

/** Splits at blanks and tabs; other white space stays in the text, and is refused there. */
function splitFields(expression: string): string[] {
  return expression
    .toUpperCase()
    .replaceAll("\t", " ")
    .split(" ")
    .filter((field) => field !== "");
}

function refuseFieldCount(words: readonly string[]): never {
  const expected = "five fields (minute, hour, day of month, month, day of week)";
  const first = words[0] ?? "";
  const macro = MACROS[first];
  if (macro !== undefined) refuse(expected, first.toLowerCase(), `write "${macro}"`);
  if (isLetter(first[0] ?? "")) refuse(expected, "a text", 'write cron, such as "*/5 * * * *" for every five minutes');
  const advice =
    words.length > 5
      ? "Cloud Scheduler knows neither seconds nor years; leave that field out"
      : "write * where anything goes";
  refuse(expected, `${words.length}`, advice);
}

/** With only the day of month restricted, some named month must be long enough for some named day. */
function refuseImpossibleDate({ dayOfMonth, month, dayOfWeek }: Omit<CronFields, "expression">): void {
  if (!dayOfWeek.unrestricted) return;
  const longest = Math.max(...month.values.map((value) => MONTH_LENGTHS[value - 1] ?? 0));
  const day = dayOfMonth.values[0] ?? 0;
  if (day > longest)
    refuse(
      "a date that exists",
      `day ${day} in month ${month.values.join(", ")}`,
      "it would never run; name another day",
    );
}

function parseFields(expression: string): CronFields {
  const words = splitFields(expression);
  if (words.length !== 5) refuseFieldCount(words);
  const field = (index: number, rule: FieldRule): CronField => new FieldReader(words[index] ?? "", rule).list();
  const fields = {
    minute: field(0, MINUTE),
    hour: field(1, HOUR),
    dayOfMonth: field(2, DAY_OF_MONTH),
    month: field(3, MONTH),
    dayOfWeek: field(4, DAY_OF_WEEK),
  };
  refuseImpossibleDate(fields);
  return { ...fields, expression: words.join(" ") };
}

/**
 * Parses a cron expression as Cloud Scheduler takes it (cloud.google.com/scheduler/docs/configuring/cron-job-schedules):
 * five fields, minute 0-59, hour 0-23, day of month 1-31, month 1-12 or JAN-DEC, day of week 0-6 or SUN-SAT, and 7 for
 * Sunday; `*`, lists, ranges that ascend, and steps over a range or `*` no larger than the field's largest value. Names
 * may be written in any case, blanks between fields may be repeated.
 *
 * Refused as there: seconds, `@daily`, `L`, `W`, `#`, `?`, `a/n`, and ranges that wrap around (`SAT-SUN`, `22-2`). Refused
 * here besides: a list that holds `*`, a date that no year has (`0 0 31 2 *`), and the texts of App Engine's groc
 * format, which the service's API would take.
 *
 * @throws TasksError `INVALID_SCHEDULE`, naming the field, what was written and what to write instead.
 */
export function parseCron(expression: string): CronFields {
  try {
    return parseFields(expression);
  } catch (error) {
    if (!(error instanceof FieldError)) throw error;
    throw new TasksError("INVALID_SCHEDULE", `schedule ${JSON.stringify(expression)}: ${error.message}`);
  }
}
