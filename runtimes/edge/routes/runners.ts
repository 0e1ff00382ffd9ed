/**
 * `/v1/runners`: what a runner pulls and pushes. Every word of a runner names its lease's token; an old one gets 409.
 * @module
 */
import { type Context, Hono } from "hono";
import * as v from "valibot";
import { committed, givenBack, isOver, type JobRecord, renewed, saved } from "../../../core/jobs/record.ts";
import { openSafetensors, toFloat32 } from "../../../core/safetensors.ts";
import type { Named, Store, TrainingEvent } from "../../../core/types.ts";
import { checked, failed, jsonBody } from "../answers.ts";
import { toldEvent } from "../job_shapes.ts";
import type { JobsContext } from "../jobs_app.ts";

const token = v.pipe(v.number(), v.integer(), v.minValue(1));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const names = v.pipe(v.array(v.pipe(v.string(), v.minLength(1), v.maxLength(500))), v.maxLength(1000));
const metrics = v.optional(v.record(v.string(), v.nullable(v.number())), {});
const leaseSchema = v.strictObject({
  runner: v.pipe(v.string(), v.regex(/^[\w.:-]{1,100}$/, "a name of letters, digits, dots and dashes")),
  capabilities: v.strictObject({
    providers: v.array(v.string()),
    memoryBytes: v.number(),
    /** What it may load; absent: everything. */
    plugins: v.optional(names),
  }),
  waitSeconds: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(25)), 0),
});
const heartbeatSchema = v.strictObject({ token, step: count, trainedTokens: count });
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

/** The routes. */
export function runnerRoutes({ options, jobs, files, hub, time, leaseSeconds, heartbeatSeconds }: JobsContext): Hono {
  const { store } = options;
  const app = new Hono();
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
  const holding = async (c: Context, token: number): Promise<JobRecord> => {
    const id = c.req.param("id") ?? "";
    const record = await jobs.get(id);
    if (!record) throw failed(404, "not_found", `No job ${id}`);
    if (record.token === token && record.lease !== undefined) return record;
    throw failed(409, "lease_lost", `The lease of job ${id} is over: its token is ${record.token}, not ${token}`);
  };

  app.post("/lease", async (c) => {
    const { runner, capabilities, waitSeconds } = await jsonBody(c, leaseSchema);
    const can = ({ needs }: JobRecord): boolean =>
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
  app.post("/jobs/:id/heartbeat", async (c) => {
    const { token, step, trainedTokens } = await jsonBody(c, heartbeatSchema);
    const record = await changed(c.req.param("id"), (r) => renewed(r, token, step, trainedTokens));
    return c.json({ wants: record.wants ?? null });
  });
  app.post("/jobs/:id/events", async (c) => {
    const { token, from, events, totalSteps } = await jsonBody(c, eventsSchema);
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
  app.put("/jobs/:id/files/:path{.+}", async (c) => {
    const token = Number(c.req.query("token"));
    const { id } = await holding(c, token);
    const body = c.req.raw.body;
    const key = `${folderOf(id, token)}${c.req.param("path")}`;
    // Only this lease writes below this folder; nothing counts before the record names it.
    const done = await store.put(key, body ? (body as unknown as AsyncIterable<Uint8Array>) : new Uint8Array());
    if (done === "conflict") throw failed(409, "conflict", `${key} is being written`);
    return c.json({ bytes: done.size });
  });
  app.get("/jobs/:id/leases/:path{.+}", async (c) => {
    const found = await store.get(`jobs/${c.req.param("id")}/leases/${c.req.param("path")}`);
    if (!found) throw failed(404, "not_found", "No such file");
    return c.body(found.bytes as Uint8Array<ArrayBuffer>);
  });
  app.post("/jobs/:id/checkpoints", async (c) => {
    const body = await jsonBody(c, checkpointSchema);
    const { id } = await holding(c, body.token);
    const folder = `${folderOf(id, body.token)}${body.folder}`;
    await present(store, folder, body.files.map((path) => ({ path })));
    const { step, files } = body;
    const checkpoint = { id: `${id.slice(6)}-${step}`, folder, files, step, at: time(), metrics: finite(body.metrics) };
    await changed(id, (r) => saved(r, body.token, checkpoint));
    return c.json({ step });
  });
  app.post("/jobs/:id/commit", async (c) => {
    const body = await jsonBody(c, commitSchema);
    const id = c.req.param("id");
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
  app.post("/jobs/:id/release", async (c) => {
    const { token, ...why } = await jsonBody(c, releaseSchema);
    const record = await changed(c.req.param("id"), (r) => givenBack(r, token, why, time()));
    return c.json({ status: record.status });
  });
  app.get("/files/:id", async (c) => {
    const bytes = await files.content(c.req.param("id"));
    if (!bytes) throw failed(404, "not_found", "No such file");
    return c.body(bytes as Uint8Array<ArrayBuffer>);
  });
  const modelOf = async (c: Context): Promise<Store> => {
    const name = checked(v.string(), c.req.query("name"));
    const found = (await options.models.names()).includes(name) ? await options.models.files(name) : undefined;
    if (!found) throw failed(404, "model_not_found", `No files of model ${name} here`);
    return found;
  };
  app.get("/models", async (c) => {
    const found: { path: string; bytes: number; revision: string }[] = [];
    for await (const { key, size, revision } of (await modelOf(c)).list("")) {
      found.push({ path: key, bytes: size, revision });
    }
    return c.json({ files: found });
  });
  app.get("/models/file", async (c) => {
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
  });
  return app;
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
