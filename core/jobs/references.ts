/**
 * Names in a job's spec that refer to uploaded files, models of the server, and results of earlier jobs. Whoever opens
 * the spec replaces them by real locations; a job cannot reach anything else by a path.
 */
import { badValue } from "../base/errors.ts";
import { isFileId, isModelName, isResultName } from "./names.ts";
import { changeTexts, mapRoles } from "../spec/roles.ts";
import type { Catalog, Json, Named } from "../types.ts";

/** A name in a job's spec, and its path in the spec. */
export type JobReference = Readonly<{ name: string; at: string }>;

/** Roles of options that no job may set, and descriptions for errors. */
const refused: Named<string> = {
  cache: "written outside the job's results",
  address: "reached over the network",
  secret: "a secret",
};

/** Returns whether a name refers to an uploaded file, a job's result (`ft:...`) or a model; undefined if none. */
export function referenceKind(name: string): "file" | "made" | "model" | undefined {
  if (isFileId(name)) return "file";
  if (isResultName(name)) return "made";
  return isModelName(name) ? "model" : undefined;
}

/**
 * Returns a copy of a spec with every reference replaced by `place`; `at` is its path in the spec. The catalog knows
 * which options are paths.
 *
 * @throws AttuneError (`BAD_VALUE`) if a path is not a reference, or if an option writes elsewhere, uses the network or
 * is a secret.
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

/** Returns the distinct references of a spec. Throws like {@link placeReferences}. */
export function referencesOf(spec: Named<Json>, catalog: Catalog): readonly JobReference[] {
  const places = new Map<string, string>();
  placeReferences(spec, catalog, (name, at) => {
    if (!places.has(name)) places.set(name, at);
    return name;
  });
  return [...places].map(([name, at]) => ({ name, at }));
}
