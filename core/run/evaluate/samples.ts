/**
 * Sample answers of a language model in evaluations, for people to read: they are sent to loggers and written to
 * samples.jsonl.
 */
import type { Evaluator } from "../../engine/evaluator.ts";
import { badValue } from "../../base/errors.ts";
import type { Example, GeneratedSample, Named, Store, TrainingEvent } from "../../types.ts";
import type { MeasuredTask } from "./measured_tasks.ts";
import { readsText } from "./metrics.ts";

/** Number of sample answers, and maximum tokens of each. */
const [COUNT, TOKENS] = [3, 64];

const FILE = "samples.jsonl";

/** Whether a task has answers to show: it continues prompts. */
export function answersPrompts({ open: { task, collator } }: MeasuredTask): boolean {
  return task.generate !== undefined && collator.questions !== undefined;
}

/**
 * Checks before the first step that generation will work after the last. `isRequested`: texts are shown even if no
 * metric reads them.
 *
 * @throws AttuneError if the checkpoint asks for something not implemented, or a text metric's rows have no answers.
 */
export async function checkGeneration(tasks: readonly MeasuredTask[], isRequested: boolean): Promise<void> {
  for (const { open, evalRows } of tasks) {
    const measures = open.metrics.filter((metric) => readsText(open, metric));
    if (open.task.generate === undefined || (!isRequested && measures.length === 0)) continue;
    const { generationOf, questionsOf } = await import("./generate.ts");
    await generationOf(open);
    const { value: first } = await questionsOf(open, evalRows).next();
    const [metric] = measures;
    if (metric && !first) {
      throw badValue(metric.name, "metrics", metric.name, "rows with an answer (messages, or prompt and completion)");
    }
  }
}

/** Generates some answers with the current weights. */
export async function generateSamples(
  { open, evalRows }: MeasuredTask,
  evaluator: Pick<Evaluator, "generator">,
): Promise<GeneratedSample[]> {
  const { first, generateAnswers, generationOf, questionsOf } = await import("./generate.ts");
  const options = await generationOf(open);
  const generator = await evaluator.generator();
  const samples: GeneratedSample[] = [];
  try {
    const short = { ...options, maxNewTokens: Math.min(options.maxNewTokens, TOKENS) };
    for await (
      const { prompt = "", prediction, references: [reference = ""] } of generateAnswers(
        open,
        generator,
        first(questionsOf(open, evalRows), COUNT),
        short,
      )
    ) {
      samples.push({ prompt, text: prediction, reference });
    }
    return samples;
  } finally {
    await generator.close();
  }
}

/** Returns the first evaluated rows that have texts as samples. */
export function samplesFrom(examples: readonly Example[]): GeneratedSample[] {
  const isText = (value: unknown): value is string => typeof value === "string";
  return examples.slice(0, COUNT).flatMap(({ text, prediction, reference }) =>
    isText(prediction) && isText(reference) ? [{ prompt: text, text: prediction, reference }] : []
  );
}

/** Returns a function that appends samples to samples.jsonl; a resumed run keeps those of its earlier steps. */
export function samplesFile(output: Store | undefined, resumedAt: number): (event: TrainingEvent) => Promise<void> {
  let lines: string[] | undefined;
  const before = async (): Promise<string[]> => {
    const file = resumedAt > 0 ? await output?.get(FILE) : undefined;
    const all = file ? new TextDecoder().decode(file.bytes).trim().split("\n") : [];
    return all.filter((line) => Number((JSON.parse(line) as Named<number>).step) <= resumedAt);
  };
  return async (event) => {
    if (event.type !== "samples" || !output || event.samples.length === 0) return;
    lines ??= await before();
    const { step, task } = event;
    const taskField = task === "" ? {} : { task };
    // Samples of the original model arrive last but are written first.
    const appended = event.samples.map((sample) => JSON.stringify({ step, ...taskField, ...sample }));
    lines = step === 0 ? [...appended, ...lines] : [...lines, ...appended];
    await output.put(FILE, new TextEncoder().encode(`${lines.join("\n")}\n`));
  };
}
