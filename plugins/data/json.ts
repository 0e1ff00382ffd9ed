/**
 * One JSON document.
 * @module
 */
import * as v from "valibot";
import { role } from "../../blocks/options/mod.ts";
import { define } from "../../core/define.ts";
import { badFile, badValue, missing } from "../../core/errors.ts";
import type { Factory, Row } from "../../core/types.ts";
import { rowsInMemory } from "../../blocks/data/mod.ts";
import { openTextFile } from "../../blocks/data/mod.ts";

/** Options of {@link json}. */
export interface JsonOptions {
  /** The file: a list of objects, or an object that has one in it. */
  readonly path: string;
  /** Where the list is, as `"data"` or `"data.rows"`; null: the document is the list. */
  readonly field: string | null;
}

/** Schema of {@link JsonOptions}. */
export const jsonSchema: v.GenericSchema<Partial<JsonOptions> & { path: string }, JsonOptions> = v.strictObject({
  path: role(v.string(), { role: "path" }),
  field: v.optional(v.nullable(v.pipe(v.string(), v.minLength(1))), null),
});

/** Larger files are refused: the parser wants the text in one piece. */
const MAX_BYTES = 256 * 2 ** 20;

/**
 * Rows of a JSON document of at most 256 MiB, `[{...}, ...]` or `{ "data": [{...}, ...] }` with `field: "data"`.
 *
 * @throws AttuneError from `open` where it is no JSON, or something in the list is no object.
 * @example
 * ```ts
 * import { json } from "attune/data/json";
 * console.assert(json({ path: "./rows.json", field: "data" }).name === "json");
 * ```
 */
export const json: Factory<"data", Partial<JsonOptions> & { path: string }> = define({
  kind: "data",
  name: "json",
  schema: jsonSchema,
  create: ({ path, field }) => ({
    open: async (host) => {
      const file = await openTextFile("json", path, host);
      const text = await file.text(MAX_BYTES);
      let list: unknown;
      try {
        list = JSON.parse(text);
      } catch (cause) {
        throw badFile("json", path, `is not JSON (${cause instanceof Error ? cause.message : cause})`);
      }
      for (const key of field?.split(".") ?? []) {
        if (typeof list !== "object" || list === null || !Object.hasOwn(list, key)) {
          throw missing("json", `field "${field}"`, path);
        }
        list = (list as Readonly<Record<string, unknown>>)[key];
      }
      const where = field === null ? path : `${path}, ${field}`;
      if (!Array.isArray(list)) throw badValue("json", where, list, "a list of objects");
      list.forEach((row: unknown, i) => {
        if (typeof row === "object" && row !== null && !Array.isArray(row)) return;
        throw badValue("json", `${where}, row ${i}`, row, "an object");
      });
      return rowsInMemory(list as Row[], await file.fingerprint());
    },
  }),
});
