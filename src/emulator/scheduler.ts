import { randomUUID } from "node:crypto";
import { HttpDispatcher } from "./dispatch.ts";
import { type PageRequest, pageOf } from "./paging.ts";
import { SchedulerJob } from "./scheduler-job.ts";
import { type JobFields, jobConfig, updatedFields } from "./scheduler-job-fields.ts";
import { assertJobLocation, assertJobName } from "./scheduler-names.ts";
import type { EmulatorScope, Service } from "./service.ts";
import { alreadyExists, invalid, notFound } from "./status.ts";
import type { FieldMask } from "./update-mask.ts";

/** Most jobs in one page; as many are given when a request does not say. */
const JOBS_A_PAGE = 500;

interface Named {
  readonly name?: string;
}

interface Listing extends PageRequest {
  readonly parent?: string;
}

/** Emulates `google.cloud.scheduler.v1.CloudScheduler`: jobs with Pub/Sub and HTTP targets, on unix-cron schedules. */
export function schedulerService(scope: EmulatorScope): Service {
  const scheduler = new Scheduler(scope);
  return {
    name: "google.cloud.scheduler.v1.CloudScheduler",
    methods: {
      ListJobs: (request: Listing) => scheduler.list(request),
      GetJob: ({ name }: Named) => scheduler.job(name).view(),
      CreateJob: ({ parent, job }: { parent?: string; job?: JobFields }) => scheduler.create(parent, job),
      UpdateJob: ({ job, updateMask }: { job?: JobFields; updateMask?: FieldMask }) =>
        scheduler.update(job, updateMask),
      DeleteJob: ({ name }: Named) => scheduler.delete(name),
      PauseJob: ({ name }: Named) => scheduler.changed(name, (job) => job.pause()),
      ResumeJob: ({ name }: Named) => scheduler.changed(name, (job) => job.resume()),
      RunJob: ({ name }: Named) => scheduler.changed(name, (job) => job.run()),
    },
    state: () => scheduler.state(),
    close: async () => scheduler.close(),
  };
}

class Scheduler {
  readonly #scope: EmulatorScope;
  readonly #dispatcher: HttpDispatcher;
  readonly #jobs = new Map<string, SchedulerJob>();
  #isClosed = false;

  constructor(scope: EmulatorScope) {
    this.#scope = scope;
    this.#dispatcher = new HttpDispatcher(scope.clock);
  }

  /** @throws RpcError INVALID_ARGUMENT, NOT_FOUND. */
  job(name: string | undefined): SchedulerJob {
    const job = this.#jobs.get(assertJobName(name));
    if (job === undefined) throw notFound("Job not found.");
    return job;
  }

  list({ parent, pageSize = 0, pageToken = "" }: Listing): object {
    const prefix = `${assertJobLocation(parent)}/`;
    const jobs = [...this.#jobs.values()].filter(({ name }) => name.startsWith(prefix));
    const request = { pageSize: pageSize === 0 ? JOBS_A_PAGE : pageSize, pageToken };
    const { items, nextPageToken } = pageOf(jobs, ({ name }) => name, request, JOBS_A_PAGE);
    return { jobs: items.map((job) => job.view()), nextPageToken };
  }

  async create(parent: string | undefined, given: JobFields | undefined): Promise<object> {
    const location = assertJobLocation(parent);
    if (given === undefined) throw invalid("Job is required.");
    const { name = "" } = given;
    const named = name === "" ? `${location}/jobs/${randomUUID()}` : assertJobName(name);
    if (!named.startsWith(`${location}/jobs/`)) throw invalid(`${named} must begin with ${location}.`);
    const config = await jobConfig({ ...given, name: named });
    // Asked once the schedule is loaded: another call may have made it meanwhile.
    if (this.#jobs.has(named)) throw alreadyExists(`Job ${named} already exists.`);
    const job = new SchedulerJob(config, this.#scope, this.#dispatcher);
    if (this.#isClosed) job.close();
    this.#jobs.set(named, job);
    return job.view();
  }

  async update(update: JobFields = {}, mask?: FieldMask): Promise<object> {
    const { name } = this.job(update.name);
    for (;;) {
      const { config } = this.job(name);
      const changed = await jobConfig({ ...updatedFields(config.fields, update, mask?.paths ?? []), name });
      const job = this.job(name);
      // Another update may have come in between; it must not be undone.
      if (job.config !== config) continue;
      job.configure(changed);
      return job.view();
    }
  }

  delete(name: string | undefined): object {
    const job = this.job(name);
    job.close();
    this.#jobs.delete(job.name);
    return {};
  }

  changed(name: string | undefined, change: (job: SchedulerJob) => void): object {
    const job = this.job(name);
    change(job);
    return job.view();
  }

  state(): object {
    return { jobs: [...this.#jobs.values()].map(({ name, state }) => ({ name, state })) };
  }

  close(): void {
    this.#isClosed = true;
    for (const job of this.#jobs.values()) job.close();
    this.#dispatcher.close();
  }
}
