/** The rows of a plain text file. */
import type { Row, Rows } from "../../core/types.ts";
import { openLineRows } from "./line_rows.ts";
import { rowsInMemory } from "./rows.ts";
import { type FilePlace, openTextFile, refuseUtf16 } from "./text_file.ts";

/** What becomes a row: a line, a paragraph, or the whole file. */
export type SampleBy = "line" | "paragraph" | "document";

/** Larger documents are refused. */
const MAX_BYTES = 256 * 2 ** 20;

/** Opens the rows of a text file. */
export async function openText(place: FilePlace, sampleBy: SampleBy): Promise<Rows> {
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
