/** Planning and queueing of new jobs, a few at once; invalid ones are rejected with the reason. */
import { AttuneError } from "../../core/base/errors.ts";
import type { Jobs } from "../../core/jobs/jobs.ts";
import { countPlan, type JobRecord, queueJob, rejectJob } from "../../core/jobs/record.ts";
import { limitConcurrency } from "../http/fair_queue.ts";
import { answerError } from "../http/responses.ts";
import type { Prepared } from "./job_planner.ts";

/** Number of attempts at planning a job. */
const PLANS = 5;

/** Number of plans at once. A job waiting for its turn has not begun, so a crash does not count as its attempt. */
const PLANNERS = 2;

/** Returns a function that plans a new job and queues or rejects it. `settled` is called after each. */
export function createJobPreparer(
  { jobs, plan, time, report, settled }: Readonly<{
    jobs: Jobs;
    plan: (record: JobRecord) => Promise<Prepared>;
    time: () => number;
    report: (error: unknown) => void;
    settled: (id: string) => void;
  }>,
): (id: string) => Promise<void> {
  const preparing = new Set<string>();
  const inTurn = limitConcurrency(PLANNERS);
  const prepare = async (id: string): Promise<void> => {
    if (preparing.has(id)) return;
    preparing.add(id);
    await inTurn(() => prepareNow(id)).finally(() => {
      preparing.delete(id);
      settled(id);
    });
  };
  const prepareNow = async (id: string): Promise<void> => {
    try {
      const record = await jobs.get(id);
      if (record?.status !== "validating_files") return;
      if ((record.plans ?? 0) >= PLANS) {
        const message = `The job was planned ${PLANS} times, and each time the planner ended before it was done`;
        await jobs.change(id, (r) => rejectJob(r, { code: "not_planned", message, param: null }, time()));
        return;
      }
      // Counted beforehand, because planning may crash this process.
      await jobs.change(id, countPlan);
      const prepared = await plan(record);
      await jobs.change(id, (r) => queueJob(r, prepared));
    } catch (error) {
      // A failing store or a lack of room is not the job's fault, so the job is planned again at the
      // next watch.
      if (isStoreError(error) || error instanceof AttuneError && error.code === "BUSY") {
        await jobs.change(id, (r) => countPlan(r, -1)).catch(() => {});
        return report(error);
      }
      const { error: { code, message, param } } = await answerError(error instanceof Error ? error : new Error())
        .json();
      const refused = jobs.change(id, (r) => {
        const file = (["validation_file", "training_file"] as const).find((p) =>
          message.includes(String(r.request[p]))
        );
        return rejectJob(
          r,
          file ? { code: `invalid_${file}`, message, param: file } : { code, message, param },
          time(),
        );
      });
      // If a full disk prevents saving the rejection, the job is planned and rejected again later.
      await refused.catch(report);
    }
  };
  return prepare;
}

function isStoreError(error: unknown): boolean {
  return error instanceof AttuneError && (error.code === "STORE" || error.code === "DISK_FULL");
}
