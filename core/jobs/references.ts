/**
 * Names in a job's spec that stand for something elsewhere: uploaded files, models that the server has, what earlier jobs
 * have made. Whoever opens the spec puts in their place what it knows them as; nothing else is reached by a path.
 */
import { badValue } from "../base/errors.ts";
import { isFileId, isMadeName, isModelName } from "./names.ts";
import { changeTexts, mapRoles } from "../spec/roles.ts";
import type { Catalog, Json, Named } from "../types.ts";

/** A name in a job's spec, and where it stands. */
export type JobReference = Readonly<{ name: string; at: string }>;

/** Roles of options that no job may set, and what they are. */
const refused: Named<string> = {
  cache: "written outside the job's results",
  address: "reached over the network",
  secret: "a secret",
};

/** Whether a name is that of an uploaded file, of what a job has made (`ft:...`), or of a model. */
export function referenceKind(name: string): "file" | "made" | "model" | undefined {
  if (isFileId(name)) return "file";
  if (isMadeName(name)) return "made";
  return isModelName(name) ? "model" : undefined;
}

/**
 * A copy of a spec with every reference replaced; `at` is its path in the spec. What options stand for, the catalog knows.
 *
 * @throws AttuneError (`BAD_VALUE`) if a path is no reference, or if something is written elsewhere, reached over
 * the network or secret.
 */
export function placeReferences(
  spec: Named<Json>,
  catalog: Catalog,
  place: (name: string, at: string) => string,
): Named<Json> {
  const resolveName = (name: string, at: string): string => {
    if (referenceKind(name)) return place(name, at);
    throw badValue("jobs", at, name, "a file id, or the name of a model or of a job's result");
  };
  return mapRoles(spec, catalog, (value, { role }, at) => {
    if (role === "path") return changeTexts(value, at, resolveName);
    const what = refused[role];
    if (what === undefined || value === null) return value;
    throw badValue("jobs", at, role === "secret" ? "***" : value, `null in a job, because it is ${what}`);
  });
}

/** Every reference of a spec, each once. Throws as {@link placeReferences} does. */
export function referencesOf(spec: Named<Json>, catalog: Catalog): readonly JobReference[] {
  const places = new Map<string, string>();
  placeReferences(spec, catalog, (name, at) => {
    if (!places.has(name)) places.set(name, at);
    return name;
  });
  return [...places].map(([name, at]) => ({ name, at }));
}
