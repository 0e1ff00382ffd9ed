/** Another run's answers to the rows that are evaluated, read from its predictions file line by line. */
import { createReadStream, existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { type AnswerKind, parsePrediction, readPrediction } from "../../core/evaluation/predictions.ts";
import type { RowReadings } from "../../core/loop/rows.ts";
import type { Example, Json } from "../../core/types.ts";

/** A reader of saved answers. */
export type WrittenAnswers = Readonly<{
  /** Reads the answer to the next row; undefined from the first line on that does not belong to its row. */
  next(example: Example, kind: AnswerKind): Promise<RowReadings | undefined>;
  /** Closes the file, and returns why its answers are not those of `rows` rows; undefined if they are. */
  end(rows: number): Promise<string | undefined>;
}>;

/** Opens a file of predictions; undefined if there is none. `classes`: names of the task's classes. */
export function openAnswers(file: string, classes: readonly string[]): WrittenAnswers | undefined {
  if (!existsSync(file)) return undefined;
  const lines = createInterface({ input: createReadStream(file), crlfDelay: Infinity });
  const each = lines[Symbol.asyncIterator]();
  let [number, read] = [0, 0];
  let why: string | undefined;
  const nextLine = async (): Promise<string | undefined> => {
    for (let line = await each.next(); !line.done; line = await each.next()) {
      number++;
      if (line.value.trim() !== "") return line.value;
    }
    return undefined;
  };
  return {
    next: async ({ row, reference = null }, kind) => {
      if (why !== undefined) return undefined;
      const line = await nextLine();
      if (line === undefined) return undefined;
      read++;
      const written = parsePrediction(line, number);
      why = differs(written, row, reference);
      return why === undefined ? readPrediction(written, kind, classes) : undefined;
    },
    end: async (rows) => {
      const more = why === undefined ? await nextLine() : undefined;
      lines.close();
      if (more !== undefined) {
        return `row ${parsePrediction(more, number).row} is not among the ${rows} that are evaluated`;
      }
      return why ?? (read === rows ? undefined : `it has ${read} rows, ${rows} are evaluated`);
    },
  };
}

function differs(written: Readonly<{ row: number; label: Json }>, row: number, reference: Json): string | undefined {
  if (written.row !== row) return `it has row ${written.row} where row ${row} is evaluated`;
  const [there, here] = [written.label, reference].map((label) => JSON.stringify(label));
  return there === here ? undefined : `row ${row} has the label ${cut(there)} there, ${cut(here)} here`;
}

function cut(text = ""): string {
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
