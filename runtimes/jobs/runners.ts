/**
 * `/v1/runners`: requests of runners. Each one contains its lease's token; an old token gets 409.
 */
import * as v from "valibot";
import { faultOfWeights } from "../../core/files/finite_weights.ts";
import { sha256 } from "../../core/base/sha256.ts";
import { contentIn } from "../../core/jobs/files.ts";
import type { JobOffer } from "../../core/jobs/job_records.ts";
import { addCheckpoint, commitLease, type JobRecord, releaseLease, renewLease } from "../../core/jobs/record.ts";
import { storeWithin } from "../../core/files/within.ts";
import type { Named, Store } from "../../core/types.ts";
import { checked, httpError } from "../http/responses.ts";
import { toJobEvent } from "../http/shapes.ts";
import type { JobsContext } from "./jobs_context.ts";
import { type EdgeContext, jsonRoute, type Route } from "../http/route.ts";
import {
  checkpointSchema,
  checkStep,
  commitSchema,
  eventsSchema,
  heartbeatSchema,
  leaseSchema,
  releaseSchema,
} from "../http/runner_messages.ts";
import { storedBody } from "./stored_body.ts";
import { changeLeased, leasedJob, leaseFolder, pathOf, referringJob } from "./leased_jobs.ts";

const leaseQuery = { token: "the token of the lease" };
const shared = { policy: "runners", rate: "runner" } as const;

/** Most bytes of a runner's message (mainly events), and of a file. */
const [MAX_WORDS, MAX_FILE] = [16 * 2 ** 20, 64 * 2 ** 30];

/** How often the queue is checked for a waiting runner, in milliseconds. */
const POLL_MS = 250;

/** Returns the routes of runners. */
export function runnerRoutes(context: JobsContext): readonly Route[] {
  return [
    leaseRoute(context),
    heartbeatRoute(context),
    eventsRoute(context),
    sendFileRoute(context),
    leaseFileRoute(context),
    checkpointRoute(context),
    commitRoute(context),
    releaseRoute(context),
    uploadRoute(context),
    modelFilesRoute(context),
    modelFileRoute(context),
  ];
}

function post<T>(
  path: string,
  summary: string,
  body: v.GenericSchema<unknown, T>,
  handle: (c: EdgeContext, body: T) => Promise<Response>,
): Route {
  const method = "post" as const;
  return jsonRoute({ ...shared, method, path: `/v1/runners${path}`, maxBytes: MAX_WORDS, summary, body, handle });
}

function get(
  path: string,
  summary: string,
  handle: (c: EdgeContext) => Promise<Response>,
  query: Route["query"],
): Route {
  const asked = query ? { query } : {};
  return { ...shared, method: "get", path: `/v1/runners${path}`, maxBytes: 0, summary, ...asked, handle };
}

function leaseRoute({ jobs, hub, leaseSeconds, heartbeatSeconds }: JobsContext): Route {
  return post("/lease", "Take a job", leaseSchema, async (c, { runner, capabilities, waitSeconds }) => {
    const { tenant, tenants } = c.get("caller");
    const can = ({ needs, ...job }: JobOffer): boolean =>
      (tenants === "all" || job.tenant === tenant) &&
      needs.bytes <= capabilities.memoryBytes &&
      (needs.provider === null || capabilities.providers.includes(needs.provider)) &&
      (capabilities.plugins === undefined || needs.plugins.every((name) => capabilities.plugins?.includes(name)));
    const until = Date.now() + 1000 * waitSeconds;
    // 128 bits that cannot be guessed; only a digest is stored, which grants no access.
    const token = hex(crypto.getRandomValues(new Uint8Array(16)));
    const secret = await sha256(token);
    for (;;) {
      const job = await jobs.lease(runner, can, secret);
      if (job) {
        hub.notify(job.id);
        return c.json({ ...leaseShape(job, token), leaseSeconds, heartbeatSeconds });
      }
      if (Date.now() >= until || c.req.raw.signal.aborted) return c.body(null, 204);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  });
}

/** Converts a leased job to the response for its runner. */
function leaseShape({ id, spec, step, totalSteps, checkpoints }: JobRecord, token: string): object {
  const last = checkpoints.at(-1);
  const checkpoint = last ? { step: last.step, folder: last.folder, files: last.files } : null;
  return { id, token, spec, step, totalSteps: totalSteps ?? null, checkpoint };
}

function heartbeatRoute(context: JobsContext): Route {
  const { jobs, hub } = context;
  return post("/jobs/:id/heartbeat", "Report that a job is still running", heartbeatSchema, async (c, body) => {
    const { step, trainedTokens, waitSeconds } = body;
    const lease = await leasedJob(context, c, body.token);
    const { token } = lease;
    checkStep(lease, step, "step");
    let record = await changeLeased(context, lease.id, (r) => renewLease(r, token, step, trainedTokens));
    const over = AbortSignal.any([c.req.raw.signal, AbortSignal.timeout(1000 * waitSeconds)]);
    while (!over.aborted && record.wants === undefined && record.token === token && record.lease !== undefined) {
      await hub.more(record.id, 0, over);
      record = await jobs.get(record.id) ?? record;
    }
    return c.json({ wants: record.wants ?? null });
  });
}

function eventsRoute(context: JobsContext): Route {
  const { jobs, hub, time } = context;
  return post("/jobs/:id/events", "Report events", eventsSchema, async (c, { token, from, events }) => {
    const record = await leasedJob(context, c, token);
    const { id, wants, totalSteps } = record;
    events.forEach((event, i) => checkStep(record, event.step, `events.${i}.step`));
    const at = time();
    // One job event for each, so that the runner's count equals the log's.
    const told = events.map((event) =>
      toJobEvent(event, totalSteps, at) ??
        { at, level: "info" as const, type: "message" as const, message: "", step: 0 }
    );
    await jobs.events(id).append(told, { token: record.token, from });
    hub.notify(id);
    return c.json({ heard: from + events.length - 1, wants: wants ?? null });
  });
}

function sendFileRoute(context: JobsContext): Route {
  return {
    ...shared,
    method: "put",
    path: "/v1/runners/jobs/:id/files/:path{.+}",
    maxBytes: MAX_FILE,
    seconds: 3600,
    summary: "Upload a file of a job",
    query: leaseQuery,
    handle: async (c) => {
      const record = await leasedJob(context, c, c.req.query("token"));
      const key = `${leaseFolder(record)}${pathOf(c)}`;
      // Only this lease writes to this folder, and its files do not count until the record names them.
      const done = await context.options.store.put(key, c.get("incoming").parts());
      if (done === "conflict") throw httpError(409, "conflict", `${key} is being written`);
      return c.json({ bytes: done.size });
    },
  };
}

function leaseFileRoute(context: JobsContext): Route {
  return get("/jobs/:id/leases/:path{.+}", "A file of an earlier lease", async (c) => {
    const { id } = await leasedJob(context, c, c.req.query("token"));
    return await storedBody(context.options.store, `jobs/${id}/leases/${pathOf(c)}`);
  }, leaseQuery);
}

function checkpointRoute(context: JobsContext): Route {
  const { options: { store }, time } = context;
  const summary = "Commit uploaded files as a checkpoint";
  return post("/jobs/:id/checkpoints", summary, checkpointSchema, async (c, body) => {
    const record = await leasedJob(context, c, body.token);
    const { id, token } = record;
    checkStep(record, body.step, "step");
    const folder = `${leaseFolder(record)}${body.folder}`;
    await checkPresent(store, folder, body.files.map((path) => ({ path })));
    const { step, files } = body;
    const checkpoint = {
      id: `${id.slice(6)}-${step}`,
      folder,
      files,
      step,
      at: time(),
      metrics: finiteMetrics(body.metrics),
    };
    await changeLeased(context, id, (r) => addCheckpoint(r, token, checkpoint));
    return c.json({ step });
  });
}

function commitRoute(context: JobsContext): Route {
  const { options: { store }, time } = context;
  return post("/jobs/:id/commit", "Finish a job", commitSchema, async (c, body) => {
    const before = await leasedJob(context, c, body.token, true);
    const { id, token } = before;
    const folder = leaseFolder(before);
    const files = body.files.map((f) => f.path);
    if (before.result?.token !== token) {
      await leasedJob(context, c, body.token);
      await checkPresent(store, folder, body.files);
      const fault = await weightsFault(store, folder, files);
      if (fault) {
        const error = { ...fault, param: null };
        await changeLeased(
          context,
          id,
          (r) => releaseLease(r, token, { reason: "failed", retry: false, error }, time()),
        );
        throw httpError(400, fault.code, fault.message);
      }
    }
    const result = { folder, files, metrics: finiteMetrics(body.metrics) };
    const record = await changeLeased(context, id, (r) => commitLease(r, token, result, time()));
    return c.json({ status: record.status });
  });
}

function releaseRoute(context: JobsContext): Route {
  return post("/jobs/:id/release", "Give a job back", releaseSchema, async (c, { token: secret, ...why }) => {
    const { id, token } = await leasedJob(context, c, secret);
    const record = await changeLeased(context, id, (r) => releaseLease(r, token, why, context.time()));
    return c.json({ status: record.status });
  });
}

function uploadRoute(context: JobsContext): Route {
  return get("/jobs/:id/uploads/:file", "A file that a job names", async (c) => {
    const name = c.req.param("file") ?? "";
    await referringJob(context, c, name);
    return await storedBody(contentIn(context.options.store), name);
  }, leaseQuery);
}

/** Returns the files of the model that a request names. */
async function modelOf(context: JobsContext, c: EdgeContext): Promise<Store> {
  const name = checked(v.string(), c.req.query("name"));
  const { tenant } = await referringJob(context, c, name);
  const files = await context.folder(name, tenant);
  if (!files) throw httpError(404, "model_not_found", `No files of ${name} here`);
  return files;
}

function modelFilesRoute(context: JobsContext): Route {
  return get("/jobs/:id/models", "The files of a model that a job names", async (c) => {
    const files: { path: string; bytes: number; revision: string }[] = [];
    for await (const { key, size, revision } of (await modelOf(context, c)).list("")) {
      files.push({ path: key, bytes: size, revision });
    }
    return c.json({ files });
  }, { ...leaseQuery, name: "the model" });
}

function modelFileRoute(context: JobsContext): Route {
  return get("/jobs/:id/models/file", "A file of a model that a job names", async (c) => {
    const path = checked(v.string(), c.req.query("path"));
    return await storedBody(await modelOf(context, c), path);
  }, { ...leaseQuery, name: "the model", path: "the file" });
}

/** Checks that the files that a runner has listed exist. */
async function checkPresent(
  store: Store,
  folder: string,
  files: readonly Readonly<{ path: string; bytes?: number }>[],
): Promise<void> {
  for (const { path, bytes } of files) {
    const object = await store.get(`${folder}${path}`, { offset: 0, length: 0 });
    if (!object) throw httpError(400, "missing_file", `${path} was not uploaded`);
    if (bytes !== undefined && object.size !== bytes) {
      throw httpError(400, "missing_file", `${path} has ${object.size} bytes here, ${bytes} there`);
    }
  }
}

/** Returns the fault in tensors that a runner has sent, such as a value that is not finite; undefined: none. */
async function weightsFault(
  store: Store,
  folder: string,
  files: readonly string[],
): Promise<Readonly<{ code: string; message: string }> | undefined> {
  for (const path of files.filter((name) => name.endsWith(".safetensors"))) {
    const fault = await faultOfWeights(storeWithin(store, folder), path);
    if (fault) return { code: fault.code, message: `${path} ${fault.problem}` };
  }
  return undefined;
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function finiteMetrics(metrics: Named<number | null>): Named<number> {
  return Object.fromEntries(
    Object.entries(metrics).flatMap(([name, value]) => (value === null ? [] : [[name, value]])),
  );
}
