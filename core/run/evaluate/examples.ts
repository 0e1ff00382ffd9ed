/** Evaluated rows in the form that reports show. */
import { areOfRows, type RowReadings } from "../../loop/rows.ts";
import type { Example, Json, MetricInputs, Named, Row } from "../../types.ts";
import type { EncodedRows } from "../rows/encoded_rows.ts";
import type { OpenRun } from "../open/open.ts";
import { columnsRead, pickColumns } from "../rows/row_columns.ts";

/** Appends evaluated rows to `examples`. */
export async function collectExamples(
  examples: Example[],
  open: OpenRun,
  evalRows: EncodedRows,
  read: RowReadings,
): Promise<void> {
  const { rows, readings } = read;
  const labels = open.task.labels ?? [];
  const columns = columnsOf(open);
  const grouped = columnsRead(open);
  const encoded = await evalRows.rows(Array.from(rows));
  const each = <R>(
    kind: keyof MetricInputs,
    of: readonly R[] | undefined,
    show: (reading: R, row: Row) => Omit<Example, "row" | "text"> & Partial<Pick<Example, "text">>,
  ): void => {
    // Readings of positions rather than of rows are not shown.
    if (!of || !areOfRows(read, kind)) return;
    of.forEach((reading, i) => {
      const row = rows[i] ?? 0;
      const example = encoded[i] ?? {};
      const facts = grouped.length > 0 ? { groups: pickColumns(example, grouped) } : {};
      examples.push({ row, text: textOf(example, columns), ...show(reading, example), ...facts });
    });
  };
  const nameOf = (id: number): Json => labels[id] ?? id;
  each("label", readings.label, ({ reference, prediction, scores: classScores }: MetricInputs["label"]) => {
    const scores = classScores ? Array.from(classScores) : undefined;
    return {
      reference: nameOf(reference),
      prediction: nameOf(prediction),
      ...(scores ? { scores, loss: -Math.log(Math.max(1e-12, scores[reference] ?? 0)) } : {}),
    };
  });
  each("number", readings.number, ({ reference, prediction }: MetricInputs["number"]) => ({
    reference,
    prediction,
    loss: (prediction - reference) ** 2,
  }));
  each("labels", readings.labels, ({ reference, prediction, scores }: MetricInputs["labels"]) => ({
    reference: reference.map((id) => String(nameOf(id))),
    prediction: prediction.map((id) => String(nameOf(id))),
    ...(scores ? { scores: Array.from(scores) } : {}),
  }));
  each("text", readings.text, ({ references, prediction, prompt }: MetricInputs["text"]) => ({
    reference: references.length === 1 ? references[0] ?? "" : [...references],
    prediction,
    ...(prompt === undefined ? {} : { text: prompt }),
  }));
  each("tags", readings.tags, ({ reference, prediction }: MetricInputs["tags"], row) => ({
    reference: [...reference],
    prediction: [...prediction],
    ...wordsOf(row, reference, columns, nameOf),
  }));
}

function columnsOf({ collator }: OpenRun): Named<string> {
  return "columns" in collator.options ? collator.options.columns as Named<string> : {};
}

/** Columns with the input text of a row, in reading order. */
const TEXTS = ["text", "textPair", "question", "context", "choices", "source", "prompt", "messages", "tokens"];

function textOf(row: Row, columns: Named<string>): string {
  const texts = TEXTS.flatMap((name): string[] => {
    const value = row[columns[name] ?? name];
    if (typeof value === "string") return [value];
    if (!Array.isArray(value)) return [];
    // The last message, the assistant's, is the row's reference.
    if (name === "messages") return value.slice(0, -1).map((message) => String(message?.content ?? ""));
    return name === "tokens" ? ("text" in row ? [] : [value.join(" ")]) : value.map(String);
  });
  return texts.join(" | ");
}

/** Columns with the text that answers a row. */
const ANSWERS = ["completion", "target", "answers", "messages"];

/** Returns the number of characters of a row's input text (`length`) and of its answer (`answer`), if it has them. */
export function textLengths(open: OpenRun, row: Row): Named<number> {
  const columns = columnsOf(open);
  const texts = ANSWERS.flatMap((name): string[] => {
    const value = row[columns[name] ?? name] as Json | undefined;
    if (typeof value === "string") return [value];
    const last = Array.isArray(value) ? value.at(-1) : value;
    const { content, text } = Object(last) as Named<Json>;
    const [first] = Array.isArray(text) ? text : [content];
    return typeof first === "string" ? [first] : [];
  });
  const length = textOf(row, columns).length;
  return { ...(length > 0 ? { length } : {}), ...(texts[0] === undefined ? {} : { answer: texts[0].length }) };
}

/** Returns the words of the tags, if these are the row's first tags; words without a token have no tag. */
function wordsOf(
  row: Row,
  reference: readonly string[],
  columns: Named<string>,
  nameOf: (id: number) => Json,
): Readonly<{ words?: readonly string[] }> {
  const [tokens, tags] = [row[columns.tokens ?? "tokens"], row[columns.tags ?? "tags"]];
  if (!Array.isArray(tokens) || !Array.isArray(tags)) return {};
  const same = reference.every((tag, i) => (typeof tags[i] === "number" ? nameOf(tags[i]) : tags[i]) === tag);
  return same ? { words: tokens.slice(0, reference.length).map(String) } : {};
}
