/** New jobs are planned and queued, a few at once, or told what is wrong with them. */
import { AttuneError } from "../../core/base/errors.ts";
import type { Jobs } from "../../core/jobs/jobs.ts";
import { countPlan, type JobRecord, queueJob, rejectJob } from "../../core/jobs/record.ts";
import { limitConcurrency } from "../http/fair_queue.ts";
import { answerError } from "../http/responses.ts";
import type { Prepared } from "./job_planner.ts";

/** How often a plan is begun. */
const PLANS = 5;

/** How many are made at once: one that waits for its turn has not begun, and does not count where the process ends. */
const PLANNERS = 2;

/** Plans a new job and queues it, or says why not. `settled` is called behind each. */
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
      // Counted before it begins: it may end this process.
      await jobs.change(id, countPlan);
      const prepared = await plan(record);
      await jobs.change(id, (r) => queueJob(r, prepared));
    } catch (error) {
      // What is wrong with the store, or that there is no room now, is not the job's fault: it is looked at again at the
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
      // A full disk keeps the refusal from being written: the job is looked at again, and refused then.
      await refused.catch(report);
    }
  };
  return prepare;
}

function isStoreError(error: unknown): boolean {
  return error instanceof AttuneError && (error.code === "STORE" || error.code === "DISK_FULL");
}
