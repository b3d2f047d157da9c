import type { AnyRoute } from "./declaration.ts";
import type { Delivery } from "./delivery.ts";
import { SCHEDULED_PREFIX } from "./envelope.ts";
import type { Naming } from "./names.ts";
import { loadSchedule, type Schedule, schedulePeriod } from "./schedule.ts";

/** A tick is taken for the one before its publish time if that lies at most this far back, or half the period if less. */
const WINDOW_MS = 60_000;

const schedules = new WeakMap<AnyRoute, Promise<Schedule>>();

/** The schedule of a scheduled route, loaded once. */
export function scheduleOf(route: AnyRoute): Promise<Schedule> {
  let schedule = schedules.get(route);
  if (schedule === undefined) {
    schedule = loadSchedule(route.settings.schedule ?? "", route.settings.scheduleTimezone);
    schedules.set(route, schedule);
  }
  return schedule;
}

/** The id of the run that a tick stands for: the same however often, and by whomever, the tick is delivered. */
export function tickId(naming: Naming, route: AnyRoute, tick: Date): string {
  const moment = tick.toISOString().replace(/[-:]|\.\d+/g, "");
  return `${SCHEDULED_PREFIX}${naming.environment}--${naming.namespace}--${route.path}-${moment}`;
}

/**
 * Tells which tick a scheduler's message stands for. Cloud Scheduler's Pub/Sub messages all have the same body and carry
 * no schedule time (cloud.google.com/scheduler/docs/reference/rest/v1/projects.locations.jobs#PubsubTarget), so the publish
 * time decides: shortly after a tick it is that tick, twice fired or not; else (a run by hand) the message id stands for it.
 */
export async function identifyTick(delivery: Delivery, route: AnyRoute, naming: Naming): Promise<Delivery> {
  const tick = delivery.scheduledFor ?? (await tickBefore(route, delivery.publishTime));
  if (tick === undefined) return { ...delivery, taskId: delivery.messageId };
  return { ...delivery, taskId: tickId(naming, route, tick), scheduledFor: tick };
}

async function tickBefore(route: AnyRoute, publishTime: string | undefined): Promise<Date | undefined> {
  const published = new Date(publishTime ?? Number.NaN);
  if (Number.isNaN(published.getTime()) || route.settings.schedule === undefined) return undefined;
  const schedule = await scheduleOf(route);
  const tick = schedule.previous(published);
  const window = Math.min(WINDOW_MS, schedulePeriod(schedule, published) / 2);
  return published.getTime() - tick.getTime() <= window ? tick : undefined;
}
