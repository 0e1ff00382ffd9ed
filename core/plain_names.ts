/**
 * What a plain text means in the place of a plugin: its name, or a file or model where no plugin is called so.
 * @module
 */
import type { Json, Kind, Named } from "./types.ts";

/** File name endings and who reads them; each may be gzipped. */
const readers: Named<string> = {
  csv: "csv",
  tsv: "csv",
  json: "json",
  jsonl: "jsonl",
  ndjson: "jsonl",
  parquet: "parquet",
};

/** A text as a reference. `"attune:base"` and `"./model"` are pretrained models, `"rows.csv"` and `"hub:org/name"` data. */
export function spellOut(
  kind: Kind,
  text: string,
): { readonly use: string; readonly with?: { readonly path: string } } {
  if (/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(text)) return { use: text };
  if (kind === "model") return { use: "pretrained", with: { path: text } };
  if (kind !== "data") return { use: text };
  if (text.startsWith("hub:")) return { use: "hub", with: { path: text.slice(4) } };
  const use = readers[/\.(\w+)(\.gz)?$/.exec(text)?.[1]?.toLowerCase() ?? ""];
  return use === undefined ? { use: text } : { use, with: { path: text } };
}

/** A spec as JSON whose model and data are references, so that what they name can be placed. */
export function spellSpec(spec: Named<Json>): Named<Json> {
  const { model, data, task } = spec;
  const tasks = isObject(task) && isObject(task.with) && isObject(task.with.tasks) ? task.with.tasks : undefined;
  return {
    ...spec,
    ...(typeof model === "string" ? { model: spellOut("model", model) } : {}),
    ...(isObject(data) ? { data: spelledData(data) } : {}),
    ...(tasks === undefined ? {} : {
      task: {
        ...task as Named<Json>,
        with: {
          ...(task as { with: Named<Json> }).with,
          tasks: mapped(
            tasks,
            (one) => (isObject(one) && isObject(one.data) ? { ...one, data: spelledData(one.data) } : one),
          ),
        },
      },
    }),
  };
}

const spelledData = (data: Named<Json>): Named<Json> =>
  mapped(data, (part) => (typeof part === "string" ? spellOut("data", part) : part));

const isObject = (value: Json | undefined): value is Named<Json> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const mapped = (object: Named<Json>, change: (value: Json) => Json): Named<Json> =>
  Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
