/** References in a job's spec: models, files, and results of other jobs. */
import { AttuneError } from "../../core/base/errors.ts";
import { contentIn, type JobFilesStore } from "../../core/jobs/files.ts";
import type { Jobs } from "../../core/jobs/jobs.ts";
import type { JobRecord } from "../../core/jobs/record.ts";
import { type JobReference, referenceKind } from "../../core/jobs/references.ts";
import { storeWithin } from "../../core/files/within.ts";
import type { Json, Named, Store } from "../../core/types.ts";
import type { ModelFiles, ModelRegistry } from "../http/model_registry.ts";
import { httpError } from "../http/responses.ts";
import { fineTunedModel } from "../http/shapes.ts";
import type { JobPlanner } from "./job_planner.ts";

/** Resolves references. */
export type JobReferences = Readonly<{
  /** Returns the result of a tenant's job, by the name that the job reports. */
  resultOf(name: string, tenant: string): Promise<ModelFiles | undefined>;
  /** Returns the files of a model, or of the adapter or model that a job has made. */
  folder(name: string, tenant: string): Promise<Store | undefined>;
  /** Throws the error to respond with if a spec refers to something that its tenant may not use. */
  check(spec: Named<Json>, tenant: string): Promise<void>;
  /** Returns the folders that a job refers to, by name; "" has the uploaded files. */
  placesOf(record: JobRecord): Promise<Map<string, Store>>;
  /** Returns the total bytes of the uploaded files that a job refers to. */
  bytesOf(record: JobRecord): Promise<number>;
}>;

/** Returns a resolver of references over a store of jobs. */
export function createJobReferences(
  { store, jobs, files, models, planner }: Readonly<
    {
      store: Store;
      jobs: Jobs;
      files: JobFilesStore;
      models: ModelRegistry;
      planner: Pick<JobPlanner, "references">;
    }
  >,
): JobReferences {
  const madeBy = async (name: string, tenant: string): Promise<JobRecord | undefined> => {
    const id = /^ft:.+:([\w-]{1,64})$/.exec(name)?.[1];
    const record = id === undefined ? undefined : await jobs.get(`ftjob-${id}`);
    const result = record?.result;
    return record && result && !result.deleted && record.tenant === tenant && fineTunedModel(record) === name
      ? record
      : undefined;
  };
  const resultOf = async (name: string, tenant: string): Promise<ModelFiles | undefined> => {
    const record = await madeBy(name, tenant);
    if (!record?.result) return undefined;
    const { path } = (record.spec.model as Named<Named<Json>> | undefined)?.with ?? {};
    const base = typeof path === "string" ? { base: path } : {};
    return { id: `job/${record.id}`, files: storeWithin(store, record.result.folder), ...base };
  };
  const folder = async (name: string, tenant: string): Promise<Store | undefined> => {
    if (referenceKind(name) === "model") return (await models.open(name, tenant))?.files;
    const result = (await madeBy(name, tenant))?.result;
    const at = ["adapter/", "model/"].find((at) => result?.files.some((file) => file.startsWith(at)));
    return result && at !== undefined ? storeWithin(store, result.folder + at) : undefined;
  };
  const isThere = async (name: string, tenant: string): Promise<boolean> =>
    referenceKind(name) === "file"
      ? (await files.get(name))?.tenant === tenant
      : models.isRemote?.(name) === true || await folder(name, tenant) !== undefined;
  const check = async (spec: Named<Json>, tenant: string): Promise<void> => {
    for (const { name, at } of readReferences(planner, spec)) {
      if (await isThere(name, tenant)) continue;
      const param = paramOf(at);
      if (referenceKind(name) === "file") throw httpError(400, "invalid_value", `${param}: no file ${name}`, param);
      const names = (await models.names(tenant)).join(", ") || "none";
      throw httpError(400, "model_not_found", `${param}: ${JSON.stringify(name)} is not one of ${names}`, param);
    }
  };
  const placesOf = async ({ spec, tenant }: JobRecord): Promise<Map<string, Store>> => {
    const places = new Map([["", contentIn(store)]]);
    for (const { name } of planner.references(spec)) {
      const place = referenceKind(name) === "file" ? undefined : await folder(name, tenant);
      if (place) places.set(name, place);
    }
    return places;
  };
  const bytesOf = async ({ spec }: JobRecord): Promise<number> => {
    let bytes = 0;
    for (const { name } of planner.references(spec)) {
      if (referenceKind(name) !== "file") continue;
      bytes += (await contentIn(store).get(name, { offset: 0, length: 0 }))?.size ?? 0;
    }
    return bytes;
  };
  return { resultOf, folder, check, placesOf, bytesOf };
}

/** Returns every reference in a request's spec. Throws the error to respond with if one is invalid. */
function readReferences(planner: Pick<JobPlanner, "references">, spec: Named<Json>): readonly JobReference[] {
  try {
    return planner.references(spec);
  } catch (error) {
    if (!(error instanceof AttuneError)) throw error;
    const param = paramOf(error.path);
    throw httpError(400, "invalid_value", error.sentence.replace(error.path, param), param);
  }
}

/** Returns the request's field that sets a path of the spec. */
function paramOf(at: string): string {
  const fields: Named<string> = {
    "model.with.path": "model",
    "data.train.with.path": "training_file",
    "data.eval.with.path": "validation_file",
  };
  return fields[at] ?? `attune.${at}`;
}
