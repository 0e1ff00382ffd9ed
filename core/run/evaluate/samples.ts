/**
 * What a language model says in evaluations: some answers for people to read, told to loggers and kept in
 * samples.jsonl.
 */
import type { Evaluator } from "../../engine/evaluator.ts";
import { badValue } from "../../base/errors.ts";
import type { Example, GeneratedSample, Named, Store, TrainingEvent } from "../../types.ts";
import type { MeasuredTask } from "./measured_tasks.ts";
import { readsText } from "./metrics.ts";

/** How many answers, and how long those within training. */
const [COUNT, TOKENS] = [3, 64];

const FILE = "samples.jsonl";

/** Whether a task's answers may be shown: those of a model that goes on with a prompt. */
export function answersPrompts({ open: { task, collator } }: MeasuredTask): boolean {
  return task.generate !== undefined && collator.questions !== undefined;
}

/**
 * Checks before the first step what generation after the last step needs. `isRequested`: whether texts are shown even if no
 * metric reads them.
 *
 * @throws AttuneError if the checkpoint asks for what is not implemented, or text is measured of rows that have no
 * answer.
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

/** Some answers of the weights as they are. */
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

/** The first of evaluated rows as samples. */
export function samplesFrom(examples: readonly Example[]): GeneratedSample[] {
  const isText = (value: unknown): value is string => typeof value === "string";
  return examples.slice(0, COUNT).flatMap(({ text, prediction, reference }) =>
    isText(prediction) && isText(reference) ? [{ prompt: text, text: prediction, reference }] : []
  );
}

/** Keeps samples in a run's output; behind those of the steps that a resumed run has made already. */
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
    // The untouched model's come last, and stand first.
    const appended = event.samples.map((sample) => JSON.stringify({ step, ...taskField, ...sample }));
    lines = step === 0 ? [...appended, ...lines] : [...lines, ...appended];
    await output.put(FILE, new TextEncoder().encode(`${lines.join("\n")}\n`));
  };
}
