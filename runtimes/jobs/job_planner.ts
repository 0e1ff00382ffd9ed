/** Planning of jobs before they are queued: their memory, steps and plugins. */
import { compose } from "../../core/spec/compose.ts";
import { toSpec } from "../../core/spec/to_spec.ts";
import { nameOf } from "../../core/spec/define.ts";
import { badKey } from "../../core/base/errors.ts";
import type { JobRecord } from "../../core/jobs/record.ts";
import { type JobReference, referencesOf } from "../../core/jobs/references.ts";
import { planRun } from "../../core/run/plan/plan.ts";
import { partsIn } from "../../core/spec/roles.ts";
import type { Catalog, Host, Json, Named, Run, RunSpec, Store } from "../../core/types.ts";

/** The result of planning. */
export type Prepared = Pick<JobRecord, "needs" | "estimate" | "totalSteps">;

/** Checks and plans jobs before they are queued. The methods throw AttuneError that says what is wrong. */
export interface JobPlanner {
  /** Checks that the parts of a spec exist and fit together. */
  check(spec: Named<Json>): void;
  /** Returns the references in a spec. Throws AttuneError if it refers to something that jobs may not use. */
  references(spec: Named<Json>): readonly JobReference[];
  /** Reads every row of a job and estimates its needs. `places`: the stores of its references; "" has uploads by id. */
  plan(spec: Named<Json>, places: ReadonlyMap<string, Store>): Promise<Prepared>;
}

/** The parts of a host that planning needs. */
export type PlanningHost = Pick<Host, "runtime" | "provider" | "clock" | "memoryBytes" | "base" | "threads">;

/** Returns a planner. Jobs can access only the host's base model and what they refer to. */
export function jobPlanner(
  catalog: Catalog,
  { runtime, provider, clock, memoryBytes, base, threads }: PlanningHost,
): JobPlanner {
  const composed = (spec: Named<Json>): Run => compose(spec as unknown as RunSpec, catalog);
  return {
    check: (spec) => void composed(spec),
    references: (spec) => referencesOf(spec, catalog),
    plan: async (spec, places) => {
      const directory = (path: string): Store => {
        const place = places.get(path);
        if (!place) throw badKey("jobs", path, "is nothing that the job may name");
        return place;
      };
      const estimate = {
        runtime,
        provider,
        clock,
        memoryBytes,
        directory,
        env: {},
        fetch: () => Promise.reject(new Error("Jobs may not use the network")),
        ...(base ? { base } : {}),
        ...(threads === undefined ? {} : { threads }),
      };
      const run = composed(spec);
      const { bytes, steps, tokens, seconds, trainableParameters } = await planRun(run, estimate);
      const total = bytes.total ?? 0;
      return {
        needs: { bytes: total, provider: null, plugins: pluginsOf(run) },
        totalSteps: steps,
        estimate: {
          tokens,
          steps,
          seconds: Math.ceil(seconds),
          bytes: total,
          trainable_parameters: trainableParameters,
        },
      };
    },
  };
}

/** Returns every plugin that a run loads: those of its spec, of its task, and those that a runner adds. */
function pluginsOf(run: Run): string[] {
  const named = partsIn(toSpec(run) as Named<Json>, run.catalog);
  const brought = run.task.subtasks.flatMap((task) => [
    ...task.heads,
    ...task.losses.map(({ loss }) => loss),
    task.collator,
    ...task.metrics,
  ]);
  return [...new Set([...named.map(({ use }) => use), ...brought.map(nameOf), "jsonl", "report"])].sort();
}
