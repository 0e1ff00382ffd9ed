/** Plain texts in place of plugin references: the name of a plugin, or a file or model. */
import type { Kind, Named } from "../types.ts";

/** The data plugin for each file extension; text files may be compressed. */
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

/** Turns a text into a reference: `"attune:base"` and `"./model"` are models, `"rows.csv"`, `"hub:org/name"` data. */
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
