/**
 * Files of plain text.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { type FilesOptions, filesOptions, openFiles, openText, placeOf, type SampleBy } from "../../blocks/data/mod.ts";

/** Options of {@link text}. */
export interface TextOptions extends FilesOptions {
  /** What becomes a row: a line (empty ones are skipped), a paragraph (separated by empty lines), or the whole file. */
  readonly sampleBy: SampleBy;
}

type Input = Partial<TextOptions> & Pick<TextOptions, "path">;

/**
 * Rows with `text` from text files (`.txt`, `.md`, packed or not): by lines, paragraphs or whole files; files of a
 * folder come in the order of their names.
 *
 * @throws AttuneError from `open` if a file is not UTF-8, or one is too long.
 * @example
 * ```ts
 * import { text } from "attune/data/text";
 * console.assert(text({ path: "./books", sampleBy: "document" }).name === "text");
 * ```
 */
export const text: Factory<"data", Input> = define({
  kind: "data",
  name: "text",
  schema: v.strictObject({
    ...filesOptions,
    sampleBy: v.optional(v.picklist(["line", "paragraph", "document"]), "line"),
  }),
  create: ({ path, split, sampleBy }: TextOptions) => ({
    open: async (host) =>
      await openFiles(
        { plugin: "text", path, split, endings: [".txt", ".text", ".md"] },
        host,
        (file) => openText(placeOf("text", file, host), sampleBy),
      ),
  }),
});
