/** `/v1/fine_tuning/jobs` in OpenAI's shapes; events also as a stream. */
import { streamSSE } from "hono/streaming";
import type { JobEvent } from "../../core/jobs/events.ts";
import { type Change, isTerminal, type JobRecord, requestStop, unpauseJob } from "../../core/jobs/record.ts";
import type { Json, Named } from "../../core/types.ts";
import { httpError, listOf, pageAfter, pageOf, unknownAfter } from "../http/responses.ts";
import { idOnce } from "../http/idempotency.ts";
import { jobRequestSchema, toJobSpec } from "./job_request.ts";
import { checkpointShape, eventOf, eventShape, jobShape } from "../http/shapes.ts";
import type { JobsContext } from "./jobs_context.ts";
import { type EdgeContext, jsonRoute, type Route } from "../http/route.ts";
import { startOf } from "./job_start.ts";

/** How often an idle stream sends a sign of life, in milliseconds. */
const ALIVE = 15_000;

const PATH = "/v1/fine_tuning/jobs";
const PERMISSIONS = "/v1/fine_tuning/checkpoints/:checkpoint/permissions";
const shared = { policy: "jobs", rate: "light", maxBytes: 0 } as const;
const page = { after: "the last id of the previous page", limit: "the most to list" };

/** Returns the routes of fine-tuning jobs. */
export function fineTuningRoutes(context: JobsContext): readonly Route[] {
  const { time } = context;
  return [
    createRoute(context),
    listRoute(context),
    {
      ...shared,
      method: "get",
      path: `${PATH}/:id`,
      summary: "A job",
      handle: async (c) => c.json(jobShape(await jobOf(context, c))),
    },
    actionRoute(context, "cancel", "End a job", (r) => requestStop(r, "cancel", time())),
    actionRoute(context, "pause", "Pause a job", (r) => requestStop(r, "pause", time())),
    actionRoute(context, "resume", "Resume a job", unpauseJob),
    checkpointsRoute(context),
    eventsRoute(context),
    permissionsRoute,
    permitRoute,
  ];
}

/** Returns the job in a route's path. Throws 404 if the caller has no such job. */
async function jobOf({ jobs }: JobsContext, c: EdgeContext): Promise<JobRecord> {
  const id = c.req.param("id") ?? "";
  const record = await jobs.get(id);
  if (record?.tenant !== c.get("caller").tenant) {
    throw httpError(404, "not_found", `No such fine-tuning job: ${id}`, "fine_tuning_job_id");
  }
  return record;
}

function createRoute(context: JobsContext): Route {
  const { jobs, sealed, options } = context;
  return jsonRoute({
    ...shared,
    method: "post",
    path: PATH,
    rate: "submit",
    maxBytes: 2 ** 20,
    summary: "Create a fine-tuning job",
    body: jobRequestSchema,
    handle: async (c, body) => {
      const { tenant } = c.get("caller");
      const spec = toJobSpec(body, await startOf(context, body, tenant));
      await context.checkReferences(spec, tenant);
      options.planner.check(spec);
      const id = await idOnce(c, sealed, JSON.stringify(body), jobs.newId);
      const record = await jobs.create(tenant, body, spec, id);
      context.later(c, context.prepare(record.id));
      return c.json(jobShape(record));
    },
  });
}

function listRoute({ jobs }: JobsContext): Route {
  const handle = async (c: EdgeContext): Promise<Response> => {
    const { after, limit } = pageOf(c);
    if (after !== undefined && (await jobs.get(after))?.tenant !== c.get("caller").tenant) {
      throw unknownAfter(after, "job");
    }
    const wanted = Object.entries(c.req.query()).flatMap(([key, value]) => {
      const name = /^metadata\[(.+)\]$/.exec(key)?.[1];
      return name === undefined ? [] : [[name, value] as const];
    });
    const records: JobRecord[] = [];
    for await (const record of jobs.list(after)) {
      const metadata = (record.request.metadata ?? {}) as Named<Json>;
      if (record.tenant !== c.get("caller").tenant) continue;
      if (wanted.every(([name, value]) => metadata[name] === value)) records.push(record);
      if (records.length > limit) break;
    }
    return c.json(listOf(records.map(jobShape), limit));
  };
  return { ...shared, method: "get", path: PATH, summary: "List jobs", query: page, handle };
}

function actionRoute(context: JobsContext, name: string, summary: string, apply: (record: JobRecord) => Change): Route {
  return {
    ...shared,
    method: "post",
    path: `${PATH}/:id/${name}`,
    summary,
    handle: async (c) => {
      const { id } = await jobOf(context, c);
      const done = await context.jobs.change(id, apply);
      if (!done || done.refused !== undefined) {
        const status = done?.record.status;
        throw httpError(400, "invalid_state", `The job is ${status}: it is too late to ${name} it`);
      }
      context.hub.notify(id);
      if (done.record.status === "validating_files") context.later(c, context.prepare(id));
      return c.json(jobShape(done.record));
    },
  };
}

function checkpointsRoute(context: JobsContext): Route {
  return {
    ...shared,
    method: "get",
    path: `${PATH}/:id/checkpoints`,
    summary: "A job's checkpoints",
    query: page,
    handle: async (c) => {
      const record = await jobOf(context, c);
      const { after, limit } = pageOf(c);
      const all = record.checkpoints.toReversed().map((checkpoint) => checkpointShape(record, checkpoint));
      return c.json(listOf(pageAfter(all, after, "checkpoint"), limit));
    },
  };
}

function eventsRoute(context: JobsContext): Route {
  return {
    ...shared,
    method: "get",
    path: `${PATH}/:id/events`,
    summary: "A job's events, as a list, or as a stream with Accept: text/event-stream",
    query: page,
    handle: async (c) => {
      const { id } = await jobOf(context, c);
      if (c.req.header("accept")?.includes("text/event-stream")) return streamEvents(context, c, id);
      return await listEvents(context, c, id);
    },
  };
}

/** Lists events, the newest first. */
async function listEvents({ jobs }: JobsContext, c: EdgeContext, id: string): Promise<Response> {
  const log = jobs.events(id);
  const { after, limit } = pageOf(c, 1000);
  const count = await log.count();
  const end = after === undefined ? count + 1 : eventOf(id, after);
  if (end === undefined || end > count + (after === undefined ? 1 : 0)) throw unknownAfter(after, "event");
  // One more than requested, to know whether there are more.
  const events: JobEvent[] = [];
  for await (const event of log.after(Math.max(0, end - 2 - limit))) {
    if (event.number >= end) break;
    events.push(event);
  }
  return c.json(listOf(events.reverse().map((event) => eventShape(id, event)), limit));
}

/** Streams events as they happen, starting after the last one that the caller has received. */
function streamEvents({ jobs, hub }: JobsContext, c: EdgeContext, id: string): Response {
  let known = eventOf(id, c.req.header("last-event-id") ?? "") ?? 0;
  return streamSSE(c, async (stream) => {
    const gone = new AbortController();
    stream.onAbort(() => gone.abort());
    while (!gone.signal.aborted) {
      // Read before the events, so that no event before the job's end is missed.
      const record = await jobs.get(id);
      for await (const event of jobs.events(id).after(known)) {
        known = event.number;
        const shape = eventShape(id, event);
        await stream.writeSSE({ id: shape.id, event: "fine_tuning.job.event", data: JSON.stringify(shape) });
      }
      if (!record || isTerminal(record)) {
        await stream.writeSSE({ event: "done", data: JSON.stringify({ status: record?.status ?? null }) });
        return;
      }
      const turn = new AbortController();
      const timer = setTimeout(() => turn.abort(), ALIVE);
      await hub.more(id, known, AbortSignal.any([gone.signal, turn.signal]));
      clearTimeout(timer);
      if (turn.signal.aborted) await stream.write(": alive\n\n");
    }
  });
}

const permissionsRoute: Route = {
  ...shared,
  method: "get",
  path: PERMISSIONS,
  summary: "Other projects that may use a checkpoint: none",
  query: page,
  handle: (c) => {
    const { after, limit } = pageOf(c);
    return c.json(listOf(pageAfter([], after, "permission"), limit));
  },
};

const permitRoute: Route = {
  ...shared,
  method: "post",
  path: PERMISSIONS,
  maxBytes: 2 ** 20,
  summary: "Not supported: checkpoints cannot be shared",
  handle: () => {
    throw httpError(400, "unsupported", "Checkpoints cannot be shared with other projects");
  },
};
