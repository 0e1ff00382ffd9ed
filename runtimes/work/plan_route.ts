/** Planning of jobs in a worker: a route that only its pool can request. */
import type { JobRecord } from "../../core/jobs/record.ts";
import { AttuneError } from "../../core/base/errors.ts";
import { httpError } from "../http/responses.ts";
import type { Prepared } from "../jobs/job_planner.ts";
import type { JobsApp } from "../jobs/jobs_app.ts";
import type { Workers } from "../http/offload.ts";
import type { Route } from "../http/route.ts";
import { jsonBytes } from "../../core/base/bytes.ts";

const PATH = "/internal/plan";

/** Bytes of files above which planning a job is long work, which leaves one thread to others. */
const LARGE = 4 * 2 ** 20;

/** Returns the route, for an app that is not reachable from outside. */
export function planRoutes({ plan }: JobsApp): readonly Route[] {
  return [{
    method: "post",
    path: PATH,
    policy: "public",
    rate: "light",
    maxBytes: 16 * 2 ** 20,
    summary: "Plan a job",
    handle: async (c) => c.json(await plan(JSON.parse(new TextDecoder().decode(await c.get("incoming").bytes())))),
  }];
}

/** Plans a job in a worker. `bytes`: the size of its files. Throws the error to respond with if the job is invalid. */
export async function planned(workers: Workers, record: JobRecord, bytes: number): Promise<Prepared> {
  const response = await workers.fetch({
    lane: "compute",
    long: bytes > LARGE,
    method: "POST",
    path: PATH,
    headers: { "content-type": "application/json" },
    body: jsonBytes(record),
  });
  const answer = await response.json();
  if (response.ok) return answer;
  const { code, message, param } = answer.error;
  // A fault of the store is not the job's.
  if (code === "store_failed") throw new AttuneError(message, { code: "STORE" });
  throw httpError(400, code, message, param);
}
