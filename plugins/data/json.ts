/**
 * JSON documents.
 * @module
 */
import * as v from "valibot";
import { type FilesOptions, filesOptions, openFiles, placeOf } from "../../blocks/data/mod.ts";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { openJson } from "./json/document.ts";

/** Options of {@link json}. */
export interface JsonOptions extends FilesOptions {
  /**
   * Where the list is, such as `"data"` or `"data.rows"`; null: the document is the list, or has one object per line.
   */
  readonly field: string | null;
}

type Input = Partial<JsonOptions> & Pick<JsonOptions, "path">;

/**
 * Rows of JSON documents of any size: `[{...}, ...]`, or `{ "data": [{...}, ...] }` with `field: "data"`; a file that does
 * not begin with `[` is read as JSON Lines.
 *
 * @throws AttuneError from `open` if it is no JSON, or something in the list is no object.
 * @example
 * ```ts
 * import { json } from "attune/data/json";
 * console.assert(json({ path: "./rows.json", field: "data" }).name === "json");
 * ```
 */
export const json: Factory<"data", Input> = define({
  kind: "data",
  name: "json",
  schema: v.strictObject({
    ...filesOptions,
    field: v.optional(v.nullable(v.pipe(v.string(), v.minLength(1))), null),
  }),
  create: ({ path, split, field }: JsonOptions) => ({
    open: async (host) =>
      await openFiles(
        { plugin: "json", path, split, endings: [".json", ".jsonl", ".ndjson"] },
        host,
        (file) => openJson("json", placeOf("json", file, host), field),
      ),
  }),
});
