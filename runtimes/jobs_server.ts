/**
 * Jobs on this machine: records and files in a directory or NATS, models in a folder, plans made here.
 * @module
 */
import { compose, toSpec } from "../core/compose.ts";
import { nameOf } from "../core/define.ts";
import { checkJsonLines } from "../core/jobs/files.ts";
import { encodeRows } from "../core/run/data.ts";
import { openRun } from "../core/run/open.ts";
import { planRun } from "../core/run/plan.ts";
import type { Host, Json, Named, OpenQueue, Row, Run, RunSpec, Store } from "../core/types.ts";
import { catalog } from "../plugins/catalog.ts";
import { folderModels, folderOf } from "./folder_models.ts";
import { openJobStore } from "./job_store.ts";
import { pluginsOf } from "./edge/job_request.ts";
import { type JobsApp, jobsApp, type JobsAppOptions, type Prepared } from "./edge/jobs_app.ts";

/** Where jobs live. */
export type JobsServerOptions =
  & Pick<JobsAppOptions, "leaseSeconds" | "heartbeatSeconds" | "maxAttempts" | "maxFileBytes">
  & Readonly<{
    host: Host;
    /** A directory, or nats://host:port. */
    store: string;
    /** The folder of models that jobs may name. */
    models?: string;
    /** An opened store and queue in place of the address. */
    opened?: Readonly<{ store: Store; queue: OpenQueue }>;
  }>;

/** The jobs of a directory or of NATS. */
export async function openJobs(options: JobsServerOptions): Promise<JobsApp> {
  const { host, models: folder, ...rest } = options;
  const { store, queue } = options.opened ?? await openJobStore(options.store, host);
  const models = folderModels(folder, host);
  return jobsApp({
    ...rest,
    store,
    queue,
    models,
    prepare: (spec, rows) => prepared(spec, rows, host, (name) => folderOf(folder, name)),
  });
}

async function prepared(
  spec: Named<Json>,
  rows: (fileId: string) => Promise<Uint8Array | undefined>,
  host: Host,
  folderOf: (name: string) => string | undefined,
): Promise<Prepared> {
  const data: Record<string, Json> = {};
  for (const [key, source] of Object.entries(spec.data as Named<{ with: { path: string } }>)) {
    const id = source.with.path;
    const bytes = await rows(id) ?? new Uint8Array();
    checkJsonLines(bytes, id);
    const lines = new TextDecoder().decode(bytes).split("\n").filter((line) => line.trim() !== "");
    data[key] = { use: "memory", with: { rows: lines.map((line) => JSON.parse(line) as Row) as unknown as Json } };
  }
  const name = (spec.model as { with: { path: string } }).with.path;
  const model = { use: "pretrained", with: { path: folderOf(name) ?? name } };
  const run = compose({ ...spec, data, model } as unknown as RunSpec, catalog);
  const open = await openRun(run, host);
  let tokens = 0;
  for (const [key, source] of Object.entries(run.data)) {
    const encoded = await encodeRows(open, source, true);
    if (key !== "train") continue;
    for (const { sequences } of encoded.samples) for (const { length } of sequences) tokens += length;
  }
  const plan = await planRun(run, host);
  return {
    needs: { bytes: plan.bytes.total ?? 0, provider: null, plugins: pluginsNeeded(run) },
    estimate: {
      tokens: Math.round(tokens * (run.training.maxSteps > 0 ? 1 : run.training.numTrainEpochs)),
      seconds: Math.ceil(plan.seconds),
      bytes: plan.bytes.total ?? 0,
      trainable_parameters: plan.trainableParameters,
    },
  };
}

/** Every plugin that a run loads by name: those of its spec, those that its task brings, those that a runner adds. */
function pluginsNeeded(run: Run): string[] {
  const parts = run.objective.tasks.flatMap((task) => [
    ...task.heads,
    ...task.losses.map(({ loss }) => loss),
    task.collator,
    ...task.metrics,
  ]);
  const named = pluginsOf(toSpec({ ...run, data: {} }));
  return [...new Set([...named, ...parts.map(nameOf), "jsonl", "report"])].sort();
}
