/**
 * Names in a job's spec that stand for something elsewhere: uploaded files, models that the server has, what earlier jobs
 * have made. Whoever opens the spec puts in their place what it knows them as; nothing else is reached by a path.
 * @module
 */
import { badValue } from "../errors.ts";
import { isFileId, isMadeName, isModelName } from "./names.ts";
import type { Json, Named } from "../types.ts";

/** Options of plugins that say where something lies. */
const placing: ReadonlySet<string> = new Set(["path", "from", "tokenizer"]);

/** Options that would write outside the run's output. */
const writing: ReadonlySet<string> = new Set(["cache"]);

/** Whether a name is that of an uploaded file, of what a job has made (`ft:...`), or of a model. */
export function referenceKind(name: string): "file" | "made" | "model" | undefined {
  if (isFileId(name)) return "file";
  if (isMadeName(name)) return "made";
  return isModelName(name) ? "model" : undefined;
}

/**
 * A copy of a spec with every reference replaced; `at` is its path in the spec.
 *
 * @throws AttuneError (`BAD_VALUE`) where something is named that is no reference, as a path or an address.
 */
export function placed(spec: Named<Json>, place: (name: string, at: string) => string): Named<Json> {
  const named = (value: Json, at: string): Json => {
    if (Array.isArray(value)) return value.map((one, i) => named(one, `${at}.${i}`));
    if (typeof value !== "string") return walked(value, at);
    if (referenceKind(value)) return place(value, at);
    throw badValue("jobs", at, value, "the id of a file, or the name of a model or of what a job has made");
  };
  const option = ([key, value]: [string, Json], at: string): [string, Json] => {
    if (writing.has(key) && value !== null) throw badValue("jobs", `${at}.${key}`, value, "null, in a job");
    return [key, placing.has(key) ? named(value, `${at}.${key}`) : walked(value, `${at}.${key}`)];
  };
  const walked = (value: Json, at: string): Json => {
    if (Array.isArray(value)) return value.map((one, i) => walked(one, `${at}.${i}`));
    if (typeof value !== "object" || value === null) return value;
    const { use, with: options } = value as Named<Json>;
    const isPart = typeof use === "string" && typeof options === "object" && options !== null;
    return Object.fromEntries(
      Object.entries(value).map(([key, own]) =>
        isPart && key === "with"
          ? [key, Object.fromEntries(Object.entries(own as Named<Json>).map((o) => option(o, `${at}.with`)))]
          : [key, walked(own, at === "" ? key : `${at}.${key}`)]
      ),
    );
  };
  // What loggers write lies in the run's output.
  const { loggers, ...rest } = spec;
  return { ...walked(rest, "") as Named<Json>, ...(loggers === undefined ? {} : { loggers }) };
}

/** Every reference of a spec, each once. Throws as {@link placed} does. */
export function referencesOf(spec: Named<Json>): readonly Readonly<{ name: string; at: string }>[] {
  const found = new Map<string, string>();
  placed(spec, (name, at) => {
    if (!found.has(name)) found.set(name, at);
    return name;
  });
  return [...found].map(([name, at]) => ({ name, at }));
}
