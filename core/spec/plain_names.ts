/** What a plain text means in the place of a plugin: its name, or a file or model where no plugin is called so. */
import type { Kind, Named } from "../types.ts";

/** File name endings and who reads them; those of texts may be packed. */
const readers: Named<string> = {
  csv: "csv",
  tsv: "csv",
  json: "json",
  jsonl: "jsonl",
  ndjson: "jsonl",
  parquet: "parquet",
  txt: "text",
  md: "text",
  arrow: "arrow",
  feather: "arrow",
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
  const use = readers[/\.(\w+)(\.gz|\.zst)?$/.exec(text)?.[1]?.toLowerCase() ?? ""];
  return use === undefined ? { use: text } : { use, with: { path: text } };
}
