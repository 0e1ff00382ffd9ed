/**
 * JSON lines.
 * @module
 */
import * as v from "valibot";
import { type FilesOptions, filesOptions, openFiles, placeOf } from "../../blocks/data/mod.ts";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { openJson } from "./json/document.ts";

type Input = Partial<FilesOptions> & Pick<FilesOptions, "path">;

/**
 * Rows of JSON Lines files (`.jsonl`, `.json`, compressed or not), parsed as they are read: one object per line; empty
 * lines are skipped. A file that begins with `[` is read as one list.
 *
 * @throws AttuneError from `open` with the line's number where one is not a JSON object, not UTF-8 or beyond 64 MiB.
 * @example
 * ```ts
 * import { jsonl } from "attune/data/jsonl";
 * console.assert(jsonl({ path: "./rows/*.jsonl.gz", split: "train[:90%]" }).kind === "data");
 * ```
 */
export const jsonl: Factory<"data", Input> = define({
  kind: "data",
  name: "jsonl",
  schema: v.strictObject(filesOptions),
  create: ({ path, split }: FilesOptions) => ({
    open: async (host) =>
      await openFiles(
        { plugin: "jsonl", path, split, endings: [".jsonl", ".ndjson", ".json"] },
        host,
        (file) => openJson("jsonl", placeOf("jsonl", file, host)),
      ),
  }),
});
