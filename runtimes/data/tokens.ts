/** The tokens that are learned: those whose labels count, with the text of each. */
import { createRowEncoder } from "../../core/run/rows/encoding.ts";
import type { OpenRun } from "../../core/run/open/open.ts";
import type { Sample } from "../../core/types.ts";
import { type DataOptions, limitedRows } from "./limited_rows.ts";

/** A token: its text, whether it is learned, and its class if the task labels tokens. */
export type ShownToken = Readonly<{ text: string; learned: boolean; label?: string }>;

/** A sample's tokens. */
export type ShownTokens = Readonly<{ row: number; tokens: readonly ShownToken[] }>;

/** Returns the tokens of the first samples of the training rows; none if labels are not at tokens. */
export async function learnedTokens(
  open: OpenRun,
  reading: unknown,
  options: DataOptions,
  count = 3,
): Promise<readonly ShownTokens[]> {
  const { data, host, tokenizer, collator, task } = open;
  // With this collator the labels at tokens are classes; with others they are tokens.
  const classes = collator.name === "token-labels" ? task.labels : undefined;
  const shown: ShownTokens[] = [];
  if (!data.train) return shown;
  let encoder: ReturnType<typeof createRowEncoder> | undefined;
  let number = 0;
  for await (const { row, where } of limitedRows(await data.train.open(host), options)) {
    encoder ??= createRowEncoder(open, true, reading, row);
    for (const sample of encoder.encode(row, number, where)) {
      const tokens = tokensOf(encoder.finish(sample, shown.length, 0), (ids) => tokenizer.decode(ids), classes);
      if (tokens && shown.push({ row: number, tokens }) >= count) return shown;
    }
    number++;
  }
  return shown;
}

/** Number of preceding tokens that a token's text may depend on. */
const BEFORE = 8;

function tokensOf(
  { sequences }: Sample,
  decode: (ids: readonly number[]) => string,
  classes: readonly string[] | undefined,
): ShownTokens["tokens"] | undefined {
  const parts = sequences.flatMap(({ fields }) => {
    const labels = Object.values(fields).find(({ ignoreIndex }) => ignoreIndex !== undefined);
    if (!labels) return [];
    const { data, ignoreIndex, shift = 0 } = labels;
    const read = (fields[labels.axis === "decoderToken" ? "decoder_input_ids" : "input_ids"] ?? labels).data;
    // What is learned at a position is its label: the token itself, or the one that a mask replaces.
    const ids = Array.from(data, (label, i) => Number(classes || label === ignoreIndex ? read[i] ?? 0 : label));
    return ids.map((id, i) => {
      const before = decode(ids.slice(Math.max(0, i - BEFORE), i));
      const whole = decode(ids.slice(Math.max(0, i - BEFORE), i + 1));
      const text = whole.startsWith(before) ? whole.slice(before.length) : decode([id]);
      const learned = data[i] !== ignoreIndex && i >= shift;
      const label = learned ? classes?.[Number(data[i])] : undefined;
      return { text, learned, ...(label === undefined ? {} : { label }) };
    });
  });
  return parts.length > 0 ? parts : undefined;
}
