const MINUTE = 60_000;
const DAY = 1440 * MINUTE;

/** A schedule as a person would say it: at these minutes of these hours, or of every hour, each day. */
export interface Timetable {
  readonly minutes: readonly number[];
  /** `undefined` for every hour. */
  readonly hours: readonly number[] | undefined;
}

/** A timetable as cron. */
export function cronOf({ minutes, hours }: Timetable): string {
  return `${minutes.join(",")} ${hours?.join(",") ?? "*"} * * *`;
}

/** What the clocks of a time zone show at each minute of a span, as if it were UTC. */
export class WatchedWall {
  readonly #shown: (readonly [instant: number, reading: number])[] = [];

  constructor(timezone: string, from: number, to: number) {
    // Swedish clocks are written as ISO 8601 has it.
    const format = new Intl.DateTimeFormat("sv-SE", { timeZone: timezone, dateStyle: "short", timeStyle: "short" });
    for (let instant = from; instant <= to; instant += MINUTE)
      this.#shown.push([instant, Date.parse(`${format.format(instant).replace(" ", "T")}Z`)]);
  }

  /**
   * The ticks of a timetable: whenever the clock shows one of its times. One of named hours ticks once for each time: not
   * again for a time that is shown again, and at the jump for one that is jumped over.
   */
  ticks({ minutes, hours }: Timetable): number[] {
    const isTime = (reading: number): boolean => {
      const time = (reading % DAY) / MINUTE;
      return minutes.includes(time % 60) && (hours?.includes(Math.floor(time / 60)) ?? true);
    };
    const ticks: number[] = [];
    let latest = (this.#shown[0]?.[1] ?? 0) - MINUTE;
    for (const [instant, reading] of this.#shown) {
      const news: number[] = [];
      for (let time = latest + MINUTE; time <= reading; time += MINUTE) news.push(time);
      if (hours === undefined ? isTime(reading) : news.some(isTime)) ticks.push(instant);
      latest = Math.max(latest, reading);
    }
    return ticks;
  }
}
