/**
 * `/v1/runners`: what a runner pulls and pushes. Every word of a runner names its lease's token; an old one gets 409.
 * @module
 */
import * as v from "valibot";
import { faultOfWeights } from "../../../core/finite_weights.ts";
import { sha256 } from "../../../core/fingerprint.ts";
import { pathParts } from "../../../core/jobs/names.ts";
import { contentIn } from "../../../core/jobs/files.ts";
import { committed, givenBack, type JobRecord, renewed, saved } from "../../../core/jobs/record.ts";
import type { JobOffer } from "../../../core/jobs/job_records.ts";
import { referencesOf } from "../../../core/jobs/references.ts";
import { within } from "../../../core/within.ts";
import type { Named, Store } from "../../../core/types.ts";
import { checked, failed } from "../answers.ts";
import { toldEvent } from "../job_shapes.ts";
import type { JobsContext } from "../jobs_context.ts";
import { equalDigests } from "../guard.ts";
import {
  checkpointSchema,
  checkStep,
  commitSchema,
  eventsSchema,
  heartbeatSchema,
  leaseSchema,
  releaseSchema,
} from "../runner_words.ts";
import { type EdgeContext, jsonRoute, type Route } from "../route.ts";
import { storedBody } from "../stored_body.ts";

const leaseQuery = { token: "the lease's token" };
const shared = { policy: "runners", rate: "runner" } as const;

/** What a runner says, events above all, has at most so many bytes; its files have this many. */
const [MAX_WORDS, MAX_FILE] = [16 * 2 ** 20, 64 * 2 ** 30];

/** The routes. */
export function runnerRoutes(context: JobsContext): readonly Route[] {
  const { options, jobs, folder, hub, time, leaseSeconds, heartbeatSeconds } = context;
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
  const pathOf = (c: EdgeContext): string => {
    const path = c.req.param("path") ?? "";
    if (!pathParts(path)) throw failed(400, "invalid_value", "path: a plain relative path is expected", "path");
    return path;
  };
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
  /** A job that a caller may know of. */
  const known = async (c: EdgeContext): Promise<JobRecord> => {
    const record = await jobs.get(idOf(c));
    const { tenant, tenants } = c.get("caller");
    if (record && (tenants === "all" || record.tenant === tenant)) return record;
    throw failed(404, "not_found", `No job ${idOf(c).slice(0, 100)}`);
  };
  /** A job whose newest lease the caller has, as its token shows. `ended`: also where that lease has ended. */
  const holding = async (c: EdgeContext, token: string | undefined, ended = false): Promise<JobRecord> => {
    const record = await known(c);
    const isHolder = record.secret !== undefined && equalDigests(record.secret, await sha256(token ?? ""));
    if (isHolder && (ended || record.lease !== undefined)) return record;
    const why = isHolder ? `the job is ${record.status}` : "another runner has it, or had it last";
    throw failed(409, "lease_lost", `The lease of job ${record.id} is over: ${why}`);
  };

  post("/lease", "Take a job", leaseSchema, async (c, { runner, capabilities, waitSeconds }) => {
    const { tenant, tenants } = c.get("caller");
    const can = ({ needs, ...job }: JobOffer): boolean =>
      (tenants === "all" || job.tenant === tenant) &&
      needs.bytes <= capabilities.memoryBytes &&
      (needs.provider === null || capabilities.providers.includes(needs.provider)) &&
      (capabilities.plugins === undefined || needs.plugins.every((name) => capabilities.plugins?.includes(name)));
    const until = Date.now() + 1000 * waitSeconds;
    // 128 bits that nobody guesses; what is kept of them lets nobody in.
    const token = hex(crypto.getRandomValues(new Uint8Array(16)));
    const secret = await sha256(token);
    for (;;) {
      const job = await jobs.lease(runner, can, secret);
      if (job) {
        hub.tell(job.id);
        const { id, spec, step, totalSteps } = job;
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
    const { step, trainedTokens, waitSeconds } = body;
    const held = await holding(c, body.token);
    const { token } = held;
    checkStep(held, step, "step");
    let record = await changed(held.id, (r) => renewed(r, token, step, trainedTokens));
    const over = AbortSignal.any([c.req.raw.signal, AbortSignal.timeout(1000 * waitSeconds)]);
    while (!over.aborted && record.wants === undefined && record.token === token && record.lease !== undefined) {
      await hub.more(record.id, 0, over);
      record = await jobs.get(record.id) ?? record;
    }
    return c.json({ wants: record.wants ?? null });
  });
  post("/jobs/:id/events", "Tell what happened", eventsSchema, async (c, { token, from, events }) => {
    const record = await holding(c, token);
    const { id, wants, totalSteps } = record;
    events.forEach((event, i) => checkStep(record, event.step, `events.${i}.step`));
    const at = time();
    // One answer each, so that the runner's count stays the events' count.
    const told = events.map((event) =>
      toldEvent(event, totalSteps, at) ??
        { at, level: "info" as const, type: "message" as const, message: "", step: 0 }
    );
    await jobs.events(id).append(told, { token: record.token, from });
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
    query: leaseQuery,
    handle: async (c) => {
      const { id, token } = await holding(c, c.req.query("token"));
      const key = `${folderOf(id, token)}${pathOf(c)}`;
      // Only this lease writes below this folder; nothing counts before the record names it.
      const done = await store.put(key, c.get("incoming").parts());
      if (done === "conflict") throw failed(409, "conflict", `${key} is being written`);
      return c.json({ bytes: done.size });
    },
  });
  get("/jobs/:id/leases/:path{.+}", "A file of an earlier lease", async (c) => {
    const { id } = await holding(c, c.req.query("token"));
    return await storedBody(store, `jobs/${id}/leases/${pathOf(c)}`);
  }, leaseQuery);
  post("/jobs/:id/checkpoints", "Count what was sent as a checkpoint", checkpointSchema, async (c, body) => {
    const record = await holding(c, body.token);
    const { id, token } = record;
    checkStep(record, body.step, "step");
    const folder = `${folderOf(id, token)}${body.folder}`;
    await present(store, folder, body.files.map((path) => ({ path })));
    const { step, files } = body;
    const checkpoint = { id: `${id.slice(6)}-${step}`, folder, files, step, at: time(), metrics: finite(body.metrics) };
    await changed(id, (r) => saved(r, token, checkpoint));
    return c.json({ step });
  });
  post("/jobs/:id/commit", "Finish a job", commitSchema, async (c, body) => {
    const { id, token, ...before } = await holding(c, body.token, true);
    if (before.result?.token !== token) {
      await holding(c, body.token);
      const folder = folderOf(id, token);
      await present(store, folder, body.files);
      const bad = await unusable(store, folder, body.files.map((f) => f.path));
      if (bad) {
        const error = { ...bad, param: null };
        await changed(id, (r) => givenBack(r, token, { reason: "failed", retry: false, error }, time()));
        throw failed(400, bad.code, bad.message);
      }
    }
    const result = {
      folder: folderOf(id, token),
      files: body.files.map((f) => f.path),
      metrics: finite(body.metrics),
    };
    const record = await changed(id, (r) => committed(r, token, result, time()));
    return c.json({ status: record.status });
  });
  post("/jobs/:id/release", "Give a job back", releaseSchema, async (c, { token: secret, ...why }) => {
    const { id, token } = await holding(c, secret);
    const record = await changed(id, (r) => givenBack(r, token, why, time()));
    return c.json({ status: record.status });
  });
  /** A job that the caller holds, if its spec refers to a name. */
  const referring = async (c: EdgeContext, name: string): Promise<JobRecord> => {
    const record = await holding(c, c.req.query("token"));
    if (referencesOf(record.spec).some((own) => own.name === name)) return record;
    throw failed(404, "not_found", `Job ${record.id} does not name it`);
  };
  get("/jobs/:id/uploads/:file", "A file that a job names", async (c) => {
    const name = c.req.param("file") ?? "";
    await referring(c, name);
    return await storedBody(contentIn(store), name);
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
    return await storedBody(await modelOf(c), path);
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

/** What is wrong with tensors that a runner has sent, as with one that has a value that is not a finite number. */
async function unusable(
  store: Store,
  folder: string,
  files: readonly string[],
): Promise<Readonly<{ code: string; message: string }> | undefined> {
  for (const path of files.filter((name) => name.endsWith(".safetensors"))) {
    const fault = await faultOfWeights(within(store, folder), path);
    if (fault) return { code: fault.code, message: `${path} ${fault.problem}` };
  }
  return undefined;
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function finite(metrics: Named<number | null>): Named<number> {
  return Object.fromEntries(
    Object.entries(metrics).flatMap(([name, value]) => (value === null ? [] : [[name, value]])),
  );
}
