/**
 * Files of plain text.
 * @module
 */
import * as v from "valibot";
import {
  type FilePlace,
  openFiles,
  openLineRows,
  openTextFile,
  placeOf,
  refuseUtf16,
  rowsInMemory,
} from "../../blocks/data/mod.ts";
import { define } from "../../core/spec/define.ts";
import type { Factory, Row, Rows } from "../../core/types.ts";
import { type FilesOptions, filesOptions } from "./files_options.ts";

/** Options of {@link text}. */
export interface TextOptions extends FilesOptions {
  /** What becomes a row: a line (empty ones are skipped), a paragraph (separated by empty lines), or the whole file. */
  readonly sampleBy: "line" | "paragraph" | "document";
}

type Input = Partial<TextOptions> & Pick<TextOptions, "path">;

/** Larger documents are refused. */
const MAX_BYTES = 256 * 2 ** 20;

/**
 * Rows with `text` from text files (`.txt`, `.md`, packed or not): by lines, paragraphs or whole files; files of a
 * folder come in the order of their names.
 *
 * @throws AttuneError from `open` where a file is not UTF-8, or one is too long.
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

/** The rows of a text file. */
export async function openText(place: FilePlace, sampleBy: TextOptions["sampleBy"]): Promise<Rows> {
  const file = await openTextFile("text", place);
  if (sampleBy !== "document") refuseUtf16("text", place.name, await file.beginning());
  const large = sampleBy === "line"
    ? await openLineRows("text", place, { rowOf: (line) => ({ text: line.replace(/\r$/, "") }) })
    : undefined;
  if (large) return large;
  const rows: Row[] = [];
  const lines: number[] = [];
  if (sampleBy === "document") {
    const whole = await file.text(MAX_BYTES);
    if (whole.trim() !== "") lines.push(rows.push({ text: whole }));
  } else {
    let begun: string[] = [];
    const end = (number: number): void => {
      if (begun.length > 0) {
        rows.push({ text: begun.join("\n") });
        lines.push(number - begun.length + 1);
      }
      begun = [];
    };
    let last = 0;
    for await (const { number, text: line } of file.lines()) {
      const plain = line.replace(/\r$/, "");
      if (plain.trim() === "") end(last);
      else {
        begun.push(plain);
        if (sampleBy === "line") end(number);
      }
      last = number;
    }
    end(last);
  }
  return rowsInMemory(rows, await file.fingerprint(), (i) => `${place.name}, line ${lines[i]}`);
}
