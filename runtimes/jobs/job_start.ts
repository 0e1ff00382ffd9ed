/** The start of a job: the first row of its file, and the adapter that it continues. */
import { contentIn } from "../../core/jobs/files.ts";
import { isResultName } from "../../core/jobs/names.ts";
import type { Json, Named, Store } from "../../core/types.ts";
import { httpError } from "../http/responses.ts";
import type { JobRequest, JobStart } from "./job_request.ts";
import type { JobsContext } from "./jobs_context.ts";
import { detectArtifact } from "../../formats/run/saved.ts";

/** Bytes of a file that are searched for its first row. */
const FIRST_ROW = 2 ** 20;

/** Returns the first row of an uploaded file, if it ends within these bytes. */
async function firstRow(store: Store, id: string): Promise<Named<Json> | undefined> {
  const head = await contentIn(store).get(id, { offset: 0, length: FIRST_ROW });
  const [line = ""] = new TextDecoder().decode(head?.bytes).trimStart().split("\n", 1);
  try {
    const row: Json = JSON.parse(line);
    return typeof row === "object" && row !== null && !Array.isArray(row) ? row as Named<Json> : undefined;
  } catch {
    return undefined;
  }
}

/** Returns the start of a requested job. Throws 400 if it continues several adapters. */
export async function startOf(
  context: JobsContext,
  { model, training_file: file }: JobRequest,
  tenant: string,
): Promise<JobStart> {
  const row = (await context.files.get(file))?.tenant === tenant
    ? await firstRow(context.options.store, file)
    : undefined;
  const trained = isResultName(model) ? await context.resultOf(model, tenant) : undefined;
  const saved = trained && await detectArtifact(trained.files);
  if (!saved?.adapters) return { row };
  const [adapter, ...more] = saved.adapters;
  const base = trained?.base ?? saved.base;
  if (!adapter || more.length > 0 || base === undefined) {
    throw httpError(
      400,
      "invalid_value",
      `model: a job can continue from one adapter only, and ${model} has several`,
      "model",
    );
  }
  return { row, adapter: { use: adapter.use, base } };
}
