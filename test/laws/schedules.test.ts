import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dooms, runs } from "./chance.ts";
import type { Doom, RouteSpec } from "./life.ts";
import { cronOf, type Timetable, WatchedWall } from "./ticks.ts";
import { World, type WorldOptions } from "./world.ts";

const HOUR = 3_600_000;

/** A day and a half around each change of clocks. */
const changes = [
  ["Europe/London", "2026-03-29T01:00:00Z"],
  ["Europe/London", "2026-10-25T01:00:00Z"],
  ["America/New_York", "2026-03-08T07:00:00Z"],
  ["America/New_York", "2026-11-01T06:00:00Z"],
  // Half an hour.
  ["Australia/Lord_Howe", "2026-10-03T15:30:00Z"],
  ["Australia/Lord_Howe", "2026-04-04T15:00:00Z"],
].map(([zone = "", moment = ""]) => {
  const [from, to] = [Date.parse(moment) - 16 * HOUR, Date.parse(moment) + 20 * HOUR];
  return { zone, from, to, wall: new WatchedWall(zone, from, to) };
});

const every = (period: number): number[] => Array.from({ length: 60 / period }, (_, index) => index * period);
const minute = fc.nat(59);
const timetables = fc.record({
  hourly: minute.map((minute): Timetable => ({ minutes: [minute], hours: undefined })),
  // Where clocks change, in the small hours.
  daily: fc.tuple(minute, fc.nat(3)).map(([minute, hour]): Timetable => ({ minutes: [minute], hours: [hour] })),
  often: fc.constant<Timetable>({ minutes: every(5), hours: undefined }),
});

/** Seconds. */
const span = fc.oneof(fc.integer({ min: 1, max: 600 }), fc.integer({ min: 1, max: 50_000 }));
const outages = fc.array(fc.record({ after: span, downtime: fc.oneof(fc.constant(0), span), gentle: fc.boolean() }), {
  maxLength: 6,
});
type Outages = typeof outages extends fc.Arbitrary<infer O> ? O : never;

/** Lets time pass up to a moment, with what interrupts it on the way. */
async function endure(world: World, outages: Outages, until: number): Promise<void> {
  for (const { after, downtime, gentle } of outages) {
    if (world.now + (after + downtime) * 1000 > until) continue;
    await world.pass(after);
    await (gentle ? world.restart(downtime) : world.crash(downtime));
  }
  await world.pass((until - world.now) / 1000);
}

/** A tick of a route, and when its run began. */
type Fired = readonly [path: string, tick: string, at: string];

const iso = (time: number): string => new Date(time).toISOString();

/** Each tick in the life of a process, at its moment; and at its beginning the last one of those that it has missed. */
function expectedOf(path: string, { lives }: World, ticks: readonly number[]): Fired[] {
  return lives.flatMap(({ from, to }, index) => {
    const before = lives[index - 1]?.to ?? from;
    const missed = ticks.filter((tick) => tick > before && tick <= from).slice(-1);
    const own = ticks.filter((tick) => tick > from && tick <= to);
    return [...missed, ...own].map((tick): Fired => [path, iso(tick), iso(Math.max(tick, from))]);
  });
}

const minutely: RouteSpec = { path: "x.minutely", schedule: "* * * * *", overlap: "allow" };
const longer = (dooms: readonly Doom[]): Doom[] => dooms.map((doom) => ({ ...doom, downtime: doom.downtime * 10 }));

/**
 * Which ticks the processes of a world owe, and which they may or may not have sent: those of the very moment of a death,
 * and those missed before any process lived long enough to write down when the schedule began.
 */
function ticksOf(
  { lives, now }: World,
  ticks: readonly number[],
): { readonly due: number[]; readonly doubtful: number[] } {
  const due: number[] = [];
  const doubtful = ticks.filter((tick) => lives.some(({ to }) => to === tick));
  let begun = false;
  for (const [index, { from, to }] of lives.entries()) {
    const before = lives[index - 1]?.to ?? from;
    const missed = ticks.filter((tick) => tick >= before && tick <= from).slice(-1);
    (begun && to > from ? due : doubtful).push(...missed);
    due.push(...ticks.filter((tick) => tick > from && tick < Math.min(to, now)));
    begun ||= to > from;
  }
  return { due, doubtful };
}

describe("a schedule", () => {
  it("fires once a tick through changes of clocks and restarts, and makes up for the latest tick missed", async () => {
    const change = fc.constantFrom(...changes);
    await fc.assert(
      fc.asyncProperty(change, timetables, outages, async ({ zone, from, to, wall }, tables, outages) => {
        const named = Object.entries(tables).map(([name, table]) => ({ path: `x.${name}`, table }));
        const routes = named.map(
          ({ path, table }): RouteSpec => ({ path, schedule: cronOf(table), scheduleTimezone: zone }),
        );
        await World.run({ routes, body: () => {}, start: new Date(from) }, async (world) => {
          await endure(world, outages, to);
          const expected = named.flatMap(({ path, table }) => expectedOf(path, world, wall.ticks(table)));
          const fired = world.runs.map(({ path, scheduledFor = 0, at }): Fired => [path, iso(scheduledFor), iso(at)]);
          expect(fired.toSorted()).toEqual(expected.toSorted());
        });
      }),
      runs(20),
    );
  });

  it("fires no tick twice and leaves none out, at whatever moment its process is killed", async () => {
    const start = Date.parse("2026-01-01T00:00:30Z");
    const wall = new WatchedWall("UTC", start + 30_000, start + 3 * HOUR);
    const ticks = wall.ticks({ minutes: every(1), hours: undefined });
    const options: WorldOptions = { routes: [minutely], body: (_, life) => life.after(0.1), start: new Date(start) };
    await fc.assert(
      fc.asyncProperty(dooms, (dooms) =>
        World.run({ ...options, dooms: longer(dooms) }, async (world) => {
          await world.pass(HOUR / 1000);
          // Half a minute past the next tick, when all that was sent has ended.
          await world.pass(90 - ((world.now / 1000) % 60));
          const sent = Map.groupBy(world.runs, ({ scheduledFor = 0 }) => scheduledFor);
          for (const [tick, runs] of sent) {
            expect(new Set(runs.map(({ messageId }) => messageId)).size).toBe(1);
            expect(runs.filter(({ at }) => at < tick)).toEqual([]);
            expect(runs.filter(({ end }) => end !== undefined)).not.toEqual([]);
          }
          const { due, doubtful } = ticksOf(world, ticks);
          expect(due.filter((tick) => !sent.has(tick)).map(iso)).toEqual([]);
          const known = [...due, ...doubtful];
          expect([...sent.keys()].filter((tick) => !known.includes(tick)).map(iso)).toEqual([]);
        }),
      ),
      runs(60),
    );
  });
});
