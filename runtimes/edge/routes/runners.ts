/**
 * `/v1/runners`: what a runner pulls and pushes. Every word of a runner names its lease's token; an old one gets 409.
 * @module
 */
import * as v from "valibot";
import { committed, givenBack, isOver, type JobRecord, renewed, saved } from "../../../core/jobs/record.ts";
import type { JobOffer } from "../../../core/jobs/jobs.ts";
import { referencesOf } from "../../../core/jobs/references.ts";
import { openSafetensors, toFloat32 } from "../../../core/safetensors.ts";
import type { Named, Store, TrainingEvent } from "../../../core/types.ts";
import { checked, failed } from "../answers.ts";
import { toldEvent } from "../job_shapes.ts";
import type { JobsContext } from "../jobs_app.ts";
import { type EdgeContext, jsonRoute, type Route } from "../route.ts";

const token = v.pipe(v.number(), v.integer(), v.minValue(1));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const names = v.pipe(v.array(v.pipe(v.string(), v.minLength(1), v.maxLength(500))), v.maxLength(1000));
const metrics = v.optional(v.record(v.string(), v.nullable(v.number())), {});
/** For how long an answer may be kept back. */
const waitSeconds = v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(25)), 0);
const leaseSchema = v.strictObject({
  runner: v.pipe(v.string(), v.regex(/^[\w.:-]{1,100}$/, "a name of letters, digits, dots and dashes")),
  capabilities: v.strictObject({
    providers: v.array(v.string()),
    memoryBytes: v.number(),
    /** What it may load; absent: everything. */
    plugins: v.optional(names),
  }),
  waitSeconds,
});
const heartbeatSchema = v.strictObject({ token, step: count, trainedTokens: count, waitSeconds });
const eventsSchema = v.strictObject({
  token,
  from: v.pipe(v.number(), v.integer(), v.minValue(1)),
  totalSteps: v.optional(count),
  events: v.pipe(v.array(v.looseObject({ type: v.string(), step: v.number() })), v.maxLength(5000)),
});
const checkpointSchema = v.strictObject({ token, step: count, folder: v.string(), files: names, metrics });
const commitSchema = v.strictObject({
  token,
  files: v.pipe(v.array(v.strictObject({ path: v.string(), bytes: count })), v.maxLength(1000)),
  metrics,
});
const releaseSchema = v.variant("reason", [
  v.strictObject({ token, reason: v.picklist(["cancelled", "paused", "shutdown"]) }),
  v.strictObject({
    token,
    reason: v.literal("failed"),
    retry: v.boolean(),
    error: v.strictObject({
      code: v.pipe(v.string(), v.maxLength(100)),
      message: v.pipe(v.string(), v.maxLength(4000)),
      param: v.nullable(v.string()),
    }),
  }),
]);

const shared = { policy: "runners", rate: "runner" } as const;

/** What a runner says, events above all, has at most so many bytes; its files have this many. */
const [MAX_WORDS, MAX_FILE] = [16 * 2 ** 20, 64 * 2 ** 30];

/** The routes. */
export function runnerRoutes(context: JobsContext): readonly Route[] {
  const { options, jobs, files, folder, hub, time, leaseSeconds, heartbeatSeconds } = context;
  const { store } = options;
  const routes: Route[] = [];
  const post = <T>(
    path: string,
    summary: string,
    body: v.GenericSchema<unknown, T>,
    handle: (c: EdgeContext, body: T) => Promise<Response>,
  ): void =>
    void routes.push(jsonRoute({
      ...shared,
      method: "post",
      path: `/v1/runners${path}`,
      maxBytes: MAX_WORDS,
      summary,
      body,
      handle,
    }));
  const get = (
    path: string,
    summary: string,
    handle: (c: EdgeContext) => Promise<Response>,
    query: Route["query"] = undefined,
  ): void =>
    void routes.push({
      ...shared,
      method: "get",
      path: `/v1/runners${path}`,
      maxBytes: 0,
      summary,
      ...(query ? { query } : {}),
      handle,
    });
  const idOf = (c: EdgeContext): string => c.req.param("id") ?? "";
  const folderOf = (id: string, token: number): string => `jobs/${id}/leases/${token}/`;
  const changed = async (id: string, apply: Parameters<typeof jobs.change>[1]): Promise<JobRecord> => {
    const done = await jobs.change(id, apply);
    if (!done) throw failed(404, "not_found", `No job ${id}`);
    if (done.refused !== undefined) {
      const why = done.refused === "stale" ? "another runner has it" : `it is ${done.record.status}`;
      throw failed(409, "lease_lost", `The lease of job ${id} is over: ${why}`);
    }
    hub.tell(id);
    return done.record;
  };
  const holding = async (c: EdgeContext, token: number): Promise<JobRecord> => {
    const id = c.req.param("id") ?? "";
    const record = await jobs.get(id);
    if (!record) throw failed(404, "not_found", `No job ${id}`);
    if (record.token === token && record.lease !== undefined) return record;
    throw failed(409, "lease_lost", `The lease of job ${id} is over: its token is ${record.token}, not ${token}`);
  };

  post("/lease", "Take a job", leaseSchema, async (c, { runner, capabilities, waitSeconds }) => {
    const can = ({ needs }: JobOffer): boolean =>
      needs.bytes <= capabilities.memoryBytes &&
      (needs.provider === null || capabilities.providers.includes(needs.provider)) &&
      (capabilities.plugins === undefined || needs.plugins.every((name) => capabilities.plugins?.includes(name)));
    const until = Date.now() + 1000 * waitSeconds;
    for (;;) {
      const job = await jobs.lease(runner, can);
      if (job) {
        hub.tell(job.id);
        const { id, token, spec, step, totalSteps } = job;
        const checkpoint = job.checkpoints.at(-1);
        return c.json({
          id,
          token,
          spec,
          step,
          totalSteps: totalSteps ?? null,
          checkpoint: checkpoint ? { step: checkpoint.step, folder: checkpoint.folder, files: checkpoint.files } : null,
          leaseSeconds,
          heartbeatSeconds,
        });
      }
      if (Date.now() >= until || c.req.raw.signal.aborted) return c.body(null, 204);
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  });
  post("/jobs/:id/heartbeat", "Say that a job goes on", heartbeatSchema, async (c, body) => {
    const { token, step, trainedTokens, waitSeconds } = body;
    let record = await changed(idOf(c), (r) => renewed(r, token, step, trainedTokens));
    const over = AbortSignal.any([c.req.raw.signal, AbortSignal.timeout(1000 * waitSeconds)]);
    while (!over.aborted && record.wants === undefined && record.token === token && record.lease !== undefined) {
      await hub.more(record.id, 0, over);
      record = await jobs.get(record.id) ?? record;
    }
    return c.json({ wants: record.wants ?? null });
  });
  post("/jobs/:id/events", "Tell what happened", eventsSchema, async (c, { token, from, events, totalSteps }) => {
    const { id, wants } = await holding(c, token);
    const at = time();
    // One answer each, so that the runner's count stays the events' count.
    const told = events.map((event) =>
      toldEvent(event as unknown as TrainingEvent, totalSteps, at) ??
        { at, level: "info" as const, type: "message" as const, message: "", step: 0 }
    );
    await jobs.events(id).append(told, { token, from });
    hub.tell(id);
    return c.json({ heard: from + events.length - 1, wants: wants ?? null });
  });
  routes.push({
    ...shared,
    method: "put",
    path: "/v1/runners/jobs/:id/files/:path{.+}",
    maxBytes: MAX_FILE,
    seconds: 3600,
    summary: "Send a file of a job",
    query: { token: "the lease's token" },
    handle: async (c) => {
      const token = Number(c.req.query("token"));
      const { id } = await holding(c, token);
      const key = `${folderOf(id, token)}${c.req.param("path")}`;
      // Only this lease writes below this folder; nothing counts before the record names it.
      const done = await store.put(key, c.get("incoming").parts());
      if (done === "conflict") throw failed(409, "conflict", `${key} is being written`);
      return c.json({ bytes: done.size });
    },
  });
  get("/jobs/:id/leases/:path{.+}", "A file of an earlier lease", async (c) => {
    const found = await store.get(`jobs/${c.req.param("id")}/leases/${c.req.param("path")}`);
    if (!found) throw failed(404, "not_found", "No such file");
    return c.body(found.bytes as Uint8Array<ArrayBuffer>);
  });
  post("/jobs/:id/checkpoints", "Count what was sent as a checkpoint", checkpointSchema, async (c, body) => {
    const { id } = await holding(c, body.token);
    const folder = `${folderOf(id, body.token)}${body.folder}`;
    await present(store, folder, body.files.map((path) => ({ path })));
    const { step, files } = body;
    const checkpoint = { id: `${id.slice(6)}-${step}`, folder, files, step, at: time(), metrics: finite(body.metrics) };
    await changed(id, (r) => saved(r, body.token, checkpoint));
    return c.json({ step });
  });
  post("/jobs/:id/commit", "Finish a job", commitSchema, async (c, body) => {
    const id = idOf(c);
    const before = await jobs.get(id);
    const again = before && isOver(before) && before.result?.token === body.token;
    if (!again) {
      await holding(c, body.token);
      const folder = folderOf(id, body.token);
      await present(store, folder, body.files);
      const bad = await nonFinite(store, folder, body.files.map((f) => f.path));
      if (bad !== undefined) {
        const error = { code: "non_finite", message: `${bad} is not finite`, param: null };
        await changed(id, (r) => givenBack(r, body.token, { reason: "failed", retry: false, error }, time()));
        throw failed(400, "non_finite", error.message);
      }
    }
    const result = {
      folder: folderOf(id, body.token),
      files: body.files.map((f) => f.path),
      metrics: finite(body.metrics),
    };
    const record = await changed(id, (r) => committed(r, body.token, result, time()));
    return c.json({ status: record.status });
  });
  post("/jobs/:id/release", "Give a job back", releaseSchema, async (c, { token, ...why }) => {
    const record = await changed(idOf(c), (r) => givenBack(r, token, why, time()));
    return c.json({ status: record.status });
  });
  /** A job that the caller holds, if its spec refers to a name. */
  const referring = async (c: EdgeContext, name: string): Promise<JobRecord> => {
    const record = await holding(c, Number(c.req.query("token")));
    if (referencesOf(record.spec).some((own) => own.name === name)) return record;
    throw failed(404, "not_found", `Job ${record.id} does not name it`);
  };
  const leaseQuery = { token: "the lease's token" };
  get("/jobs/:id/uploads/:file", "A file that a job names", async (c) => {
    const name = c.req.param("file") ?? "";
    await referring(c, name);
    const bytes = await files.content(name);
    if (!bytes) throw failed(404, "not_found", "No such file");
    return c.body(bytes as Uint8Array<ArrayBuffer>);
  }, leaseQuery);
  const modelOf = async (c: EdgeContext): Promise<Store> => {
    const name = checked(v.string(), c.req.query("name"));
    const { tenant } = await referring(c, name);
    const found = await folder(name, tenant);
    if (!found) throw failed(404, "model_not_found", `No files of ${name} here`);
    return found;
  };
  get("/jobs/:id/models", "The files of a model that a job names", async (c) => {
    const found: { path: string; bytes: number; revision: string }[] = [];
    for await (const { key, size, revision } of (await modelOf(c)).list("")) {
      found.push({ path: key, bytes: size, revision });
    }
    return c.json({ files: found });
  }, { ...leaseQuery, name: "the model" });
  get("/jobs/:id/models/file", "A file of a model that a job names", async (c) => {
    const path = checked(v.string(), c.req.query("path"));
    const model = await modelOf(c);
    const size = (await model.get(path, { offset: 0, length: 0 }))?.size;
    if (size === undefined) throw failed(404, "not_found", "No such file");
    const piece = 8 * 2 ** 20;
    let at = 0;
    const stream = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        const part = at < size ? await model.get(path, { offset: at, length: piece }) : undefined;
        if (!part || part.bytes.length === 0) return controller.close();
        at += part.bytes.length;
        controller.enqueue(part.bytes);
      },
    });
    return c.body(stream, 200, { "content-length": String(size) });
  }, { ...leaseQuery, name: "the model", path: "the file" });
  return routes;
}

/** What a runner says it has sent must be there. */
async function present(
  store: Store,
  folder: string,
  files: readonly Readonly<{ path: string; bytes?: number }>[],
): Promise<void> {
  for (const { path, bytes } of files) {
    const found = await store.get(`${folder}${path}`, { offset: 0, length: 0 });
    if (!found) throw failed(400, "missing_file", `${path} was not sent`);
    if (bytes !== undefined && found.size !== bytes) {
      throw failed(400, "missing_file", `${path} has ${found.size} bytes here, ${bytes} there`);
    }
  }
}

/** The first tensor with a value that is not a finite number. */
async function nonFinite(store: Store, folder: string, files: readonly string[]): Promise<string | undefined> {
  for (const path of files.filter((name) => name.endsWith(".safetensors"))) {
    const file = await openSafetensors(store, `${folder}${path}`);
    for (const name of file.names) {
      const tensor = await file.read(name);
      if (!/^(b?float)/.test(tensor.dtype)) continue;
      if (!toFloat32(tensor).data.every(Number.isFinite)) return `${path}: ${name}`;
    }
  }
  return undefined;
}

function finite(metrics: Named<number | null>): Named<number> {
  return Object.fromEntries(
    Object.entries(metrics).flatMap(([name, value]) => (value === null ? [] : [[name, value]])),
  );
}
