/** Jobs that runners have access to: those of their tenants, held by the newest lease. */
import { sha256 } from "../../core/base/sha256.ts";
import { pathParts } from "../../core/jobs/names.ts";
import type { Change, JobRecord } from "../../core/jobs/record.ts";
import { httpError } from "../http/responses.ts";
import { equalDigests } from "../http/auth.ts";
import type { JobsContext } from "./jobs_context.ts";
import type { EdgeContext } from "../http/route.ts";

/** Returns the file path in a route's path. Throws 400 if it is not a plain relative path. */
export function pathOf(c: EdgeContext): string {
  const path = c.req.param("path") ?? "";
  if (!pathParts(path)) throw httpError(400, "invalid_value", "path: a plain relative path is expected", "path");
  return path;
}

/** Returns the folder in the store that a lease writes to. */
export function leaseFolder({ id, token }: Pick<JobRecord, "id" | "token">): string {
  return `jobs/${id}/leases/${token}/`;
}

/** Applies a change by the holder of a lease. Throws 409 if the lease is over. */
export async function changeLeased(
  { jobs, hub }: JobsContext,
  id: string,
  apply: (record: JobRecord) => Change,
): Promise<JobRecord> {
  const done = await jobs.change(id, apply);
  if (!done) throw httpError(404, "not_found", `No job ${id}`);
  if (done.refused !== undefined) {
    const why = done.refused === "stale" ? "another runner has it" : `it is ${done.record.status}`;
    throw httpError(409, "lease_lost", `The lease of job ${id} has ended: ${why}`);
  }
  hub.notify(id);
  return done.record;
}

/** Returns a job that the caller has access to. */
async function knownJob({ jobs }: JobsContext, c: EdgeContext): Promise<JobRecord> {
  const id = c.req.param("id") ?? "";
  const record = await jobs.get(id);
  const { tenant, tenants } = c.get("caller");
  if (record && (tenants === "all" || record.tenant === tenant)) return record;
  throw httpError(404, "not_found", `No job ${id.slice(0, 100)}`);
}

/** Returns a job whose newest lease the caller holds, as its token proves. `ended`: also if that lease has ended. */
export async function leasedJob(
  context: JobsContext,
  c: EdgeContext,
  token: string | undefined,
  ended = false,
): Promise<JobRecord> {
  const record = await knownJob(context, c);
  const isHolder = record.secret !== undefined && equalDigests(record.secret, await sha256(token ?? ""));
  if (isHolder && (ended || record.lease !== undefined)) return record;
  const why = isHolder ? `the job is ${record.status}` : "another runner has it, or had it last";
  throw httpError(409, "lease_lost", `The lease of job ${record.id} has ended: ${why}`);
}

/** Returns a job that the caller holds, if its spec refers to a name. */
export async function referringJob(context: JobsContext, c: EdgeContext, name: string): Promise<JobRecord> {
  const record = await leasedJob(context, c, c.req.query("token"));
  const references = context.options.planner.references(record.spec);
  if (references.some((reference) => reference.name === name)) return record;
  throw httpError(404, "not_found", `Job ${record.id} does not refer to it`);
}
