/** Generated texts in the form that reports show. */
import type { Evaluator } from "../../engine/evaluator.ts";
import type { Example } from "../../types.ts";
import type { EncodedRows } from "../rows/encoded_rows.ts";
import { collectExamples } from "./examples.ts";
import { first, generateAnswers, questionsOf } from "./generate.ts";
import type { OpenRun } from "../open/open.ts";

/** Yields at most `most` rows with generated texts, for a task that generates but has no text metric. */
export async function* generatedExamples(
  open: OpenRun,
  evaluator: Pick<Evaluator, "generator">,
  evalRows: EncodedRows,
  most: number,
): AsyncGenerator<Example> {
  const generator = await evaluator.generator();
  try {
    for await (const { row, ...text } of generateAnswers(open, generator, first(questionsOf(open, evalRows), most))) {
      const examples: Example[] = [];
      await collectExamples(examples, open, evalRows, { rows: [row], readings: { text: [text] } });
      yield* examples;
    }
  } finally {
    await generator.close();
  }
}
