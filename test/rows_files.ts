/** The same rows as files of every kind. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parquetWriteBuffer } from "hyparquet-writer";

/** Writes rows into a folder; gives the files by their ending. One has none, and holds JSON lines. */
export function writtenRows(
  folder: string,
  rows: readonly Readonly<{ text: string; label: string }>[],
): Readonly<Record<string, string>> {
  const lines = rows.map((row) => JSON.stringify(row)).join("\n");
  const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
  const column = (name: "text" | "label") => ({ name, type: "STRING" as const, data: rows.map((row) => row[name]) });
  const contents: Record<string, string | Uint8Array> = {
    jsonl: lines,
    json: JSON.stringify(rows),
    csv: ["text,label", ...rows.map((row) => `${quoted(row.text)},${row.label}`)].join("\n"),
    parquet: new Uint8Array(parquetWriteBuffer({ columnData: [column("text"), column("label")] })),
    plain: lines,
  };
  return Object.fromEntries(
    Object.entries(contents).map(([name, content]) => {
      const path = join(folder, name === "plain" ? "rows" : `rows.${name}`);
      writeFileSync(path, content);
      return [name, path];
    }),
  );
}
