/**
 * `/v1/fine_tuning/jobs` in OpenAI's shapes; events also as a stream.
 * @module
 */
import { streamSSE } from "hono/streaming";
import type { JobEvent } from "../../../core/jobs/events.ts";
import { asked, type Change, isOver, type JobRecord, unpaused } from "../../../core/jobs/record.ts";
import { contentIn } from "../../../core/jobs/files.ts";
import { isMadeName } from "../../../core/jobs/names.ts";
import type { Json, Named, Store } from "../../../core/types.ts";
import { behind, failed, listOf, pageOf, unknownAfter } from "../answers.ts";
import { idOnce } from "../idempotency.ts";
import { type JobRequest, jobRequestSchema, type JobStart, specOf } from "../job_request.ts";
import { checkpointShape, eventOf, eventShape, jobShape } from "../job_shapes.ts";
import type { JobsContext } from "../jobs_context.ts";
import { savedIn } from "../saved.ts";
import { type EdgeContext, jsonRoute, type Route } from "../route.ts";

/** How often an idle stream says that it is alive, in milliseconds. */
const ALIVE = 15_000;

const PATH = "/v1/fine_tuning/jobs";
const PERMISSIONS = "/v1/fine_tuning/checkpoints/:checkpoint/permissions";
const shared = { policy: "jobs", rate: "light", maxBytes: 0 } as const;

/** So much of a file is looked at for its first row, in bytes. */
const FIRST_ROW = 2 ** 20;

/** The first row of an uploaded file, where that can be seen at its beginning. */
async function firstRow(store: Store, id: string): Promise<Named<Json> | undefined> {
  const found = await contentIn(store).get(id, { offset: 0, length: FIRST_ROW });
  const [line = ""] = new TextDecoder().decode(found?.bytes).trimStart().split("\n", 1);
  try {
    const row: Json = JSON.parse(line);
    return typeof row === "object" && row !== null && !Array.isArray(row) ? row as Named<Json> : undefined;
  } catch {
    return undefined;
  }
}

/** The routes. */
export function fineTuningRoutes(context: JobsContext): readonly Route[] {
  const { jobs, hub, kept, time, options } = context;
  const found = async (c: EdgeContext): Promise<JobRecord> => {
    const id = c.req.param("id") ?? "";
    const record = await jobs.get(id);
    if (record?.tenant !== c.get("caller").tenant) {
      throw failed(404, "not_found", `No such fine-tuning job: ${id}`, "fine_tuning_job_id");
    }
    return record;
  };
  const startOf = async ({ model, training_file: file }: JobRequest, tenant: string): Promise<JobStart> => {
    const row = (await context.files.get(file))?.tenant === tenant
      ? await firstRow(context.options.store, file)
      : undefined;
    const made = isMadeName(model) ? await context.made(model, tenant) : undefined;
    const saved = made && await savedIn(made.files);
    if (!saved?.adapters) return { row };
    const [own, ...more] = saved.adapters;
    const base = made?.base ?? saved.base;
    if (!own || more.length > 0 || base === undefined) {
      throw failed(400, "invalid_value", `model: a job goes on from one adapter; ${model} has several`, "model");
    }
    return { row, adapter: { use: own.use, base } };
  };
  const create = async (c: EdgeContext, body: JobRequest): Promise<Response> => {
    const { tenant } = c.get("caller");
    const spec = specOf(body, await startOf(body, tenant));
    await context.checkReferences(spec, tenant);
    options.planner.check(spec);
    const id = await idOnce(c, kept, JSON.stringify(body), jobs.newId);
    const record = await jobs.create(tenant, body, spec, id);
    context.later(c, context.prepare(record.id));
    return c.json(jobShape(record));
  };
  const list = async (c: EdgeContext): Promise<Response> => {
    const { after, limit } = pageOf(c);
    if (after !== undefined && (await jobs.get(after))?.tenant !== c.get("caller").tenant) {
      throw unknownAfter(after, "job");
    }
    const wanted = Object.entries(c.req.query()).flatMap(([key, value]) => {
      const name = /^metadata\[(.+)\]$/.exec(key)?.[1];
      return name === undefined ? [] : [[name, value] as const];
    });
    const page: JobRecord[] = [];
    for await (const record of jobs.list(after)) {
      const metadata = (record.request.metadata ?? {}) as Named<Json>;
      if (record.tenant !== c.get("caller").tenant) continue;
      if (wanted.every(([name, value]) => metadata[name] === value)) page.push(record);
      if (page.length > limit) break;
    }
    return c.json(listOf(page.map(jobShape), limit));
  };

  const action = (name: string, summary: string, apply: (record: JobRecord) => Change): Route => ({
    ...shared,
    method: "post",
    path: `${PATH}/:id/${name}`,
    summary,
    handle: async (c) => {
      const { id } = await found(c);
      const done = await jobs.change(id, apply);
      if (!done || done.refused !== undefined) {
        const status = done?.record.status;
        throw failed(400, "invalid_state", `The job is ${status}: it cannot be asked to ${name}`);
      }
      hub.tell(id);
      if (done.record.status === "validating_files") context.later(c, context.prepare(id));
      return c.json(jobShape(done.record));
    },
  });

  const checkpoints = async (c: EdgeContext): Promise<Response> => {
    const record = await found(c);
    const { after, limit } = pageOf(c);
    const all = record.checkpoints.toReversed().map((checkpoint) => checkpointShape(record, checkpoint));
    return c.json(listOf(behind(all, after, "checkpoint"), limit));
  };
  const events = async (c: EdgeContext): Promise<Response> => {
    const { id } = await found(c);
    const log = jobs.events(id);
    if (c.req.header("accept")?.includes("text/event-stream")) return streamed(c, id);
    const { after, limit } = pageOf(c, 1000);
    const count = await log.count();
    const end = after === undefined ? count + 1 : eventOf(id, after);
    if (end === undefined || end > count + (after === undefined ? 1 : 0)) throw unknownAfter(after, "event");
    // One more than asked for tells whether there are more.
    const page: JobEvent[] = [];
    for await (const event of log.after(Math.max(0, end - 2 - limit))) {
      if (event.number >= end) break;
      page.push(event);
    }
    return c.json(listOf(page.reverse().map((event) => eventShape(id, event)), limit));
  };
  const streamed = (c: EdgeContext, id: string): Response => {
    let known = eventOf(id, c.req.header("last-event-id") ?? "") ?? 0;
    return streamSSE(c, async (stream) => {
      const gone = new AbortController();
      stream.onAbort(() => gone.abort());
      while (!gone.signal.aborted) {
        // Read before the events, so that what the end was told with is not missed.
        const record = await jobs.get(id);
        for await (const event of jobs.events(id).after(known)) {
          known = event.number;
          const shape = eventShape(id, event);
          await stream.writeSSE({ id: shape.id, event: "fine_tuning.job.event", data: JSON.stringify(shape) });
        }
        if (!record || isOver(record)) {
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
  };
  const page = { after: "the last id of the page before", limit: "at most so many" };
  return [
    jsonRoute({
      ...shared,
      method: "post",
      path: PATH,
      rate: "submit",
      maxBytes: 2 ** 20,
      summary: "Make a fine-tuning job",
      body: jobRequestSchema,
      handle: create,
    }),
    { ...shared, method: "get", path: PATH, summary: "List jobs", query: page, handle: list },
    {
      ...shared,
      method: "get",
      path: `${PATH}/:id`,
      summary: "A job",
      handle: async (c) => c.json(jobShape(await found(c))),
    },
    action("cancel", "End a job", (r) => asked(r, "cancel", time())),
    action("pause", "Let a job rest", (r) => asked(r, "pause", time())),
    action("resume", "Let a job go on", unpaused),
    {
      ...shared,
      method: "get",
      path: `${PATH}/:id/checkpoints`,
      summary: "A job's checkpoints",
      query: page,
      handle: checkpoints,
    },
    {
      ...shared,
      method: "get",
      path: `${PATH}/:id/events`,
      summary: "A job's events, as a list, or as a stream with Accept: text/event-stream",
      query: page,
      handle: events,
    },
    {
      ...shared,
      method: "get",
      path: PERMISSIONS,
      summary: "Projects that may use a checkpoint besides its own: none",
      query: page,
      handle: (c) => {
        const { after, limit } = pageOf(c);
        return c.json(listOf(behind([], after, "permission"), limit));
      },
    },
    {
      ...shared,
      method: "post",
      path: PERMISSIONS,
      maxBytes: 2 ** 20,
      summary: "Not supported: checkpoints stay with their own keys",
      handle: () => {
        throw failed(400, "unsupported", "Checkpoints cannot be shared with other projects: they stay with their keys");
      },
    },
  ];
}
