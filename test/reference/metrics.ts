/**
 * Holds metrics against a file laid out like `reference/metrics.json`: name, options, inputs and the value that a known
 * library gives.
 */
import { readFile } from "node:fs/promises";
import type { Entry, Metric, MetricInputs, Named } from "../../core/types.ts";

/** One comparison: what it was, whether it holds, and what was found. */
export type ReferenceItem = Readonly<{ name: string; ok: boolean; detail: string }>;

type Example = MetricInputs[keyof MetricInputs];
type Value = number | null;
type Expected = Value | Named<Value>;
type Case = Readonly<{ metric: string; options: object; inputs: Named<readonly unknown[]>; value: Expected }>;

/** Differences up to this, times the value where it is above 1, are rounding. */
const TOLERANCE = 1e-9;

/**
 * Every entry of the file computed by the metrics of a catalog, in one go and merged from three parts; what is not in the
 * catalog is listed as missing.
 *
 * @throws Error if the file cannot be read.
 */
export async function checkMetricsReference(
  path: string,
  catalog: Named<Entry<"metric">>,
): Promise<{ items: ReferenceItem[] }> {
  const { metrics }: { metrics: Case[] } = JSON.parse(await readFile(path, "utf8"));
  return { items: metrics.map((item, i) => check(item, i, catalog[item.metric])) };
}

function check(item: Case, index: number, entry: Entry<"metric"> | undefined): ReferenceItem {
  const name = `metrics[${index}] ${item.metric} ${JSON.stringify(item.options)}`;
  if (!entry) return { name, ok: false, detail: "missing" };
  try {
    const parsed = entry.parse(item.options);
    if (parsed.issues) return { name, ok: false, detail: parsed.issues.map((issue) => issue.message).join("; ") };
    const metric = parsed.value;
    const examples = examplesOf(item, metric);
    const worst = [whole(metric, examples), inParts(metric, examples)].map((result) => difference(item, result));
    const ok = worst.every((d) => d.by <= TOLERANCE);
    return { name, ok, detail: (worst.find((d) => d.by > TOLERANCE) ?? worst[0])?.text ?? "" };
  } catch (error) {
    return { name, ok: false, detail: String(error) };
  }
}

function whole(metric: Metric, examples: readonly Example[]): Named<Value> {
  return metric.compute(examples.reduce((state, example) => metric.update(state, example), metric.init()));
}

function inParts(metric: Metric, examples: readonly Example[]): Named<Value> {
  const parts = [0, 1, 2].map((k) =>
    examples.filter((_, i) => i % 3 === k).reduce((state, example) => metric.update(state, example), metric.init())
  );
  return metric.compute(parts.reduceRight((a, b) => metric.merge(JSON.parse(JSON.stringify(b)), a)));
}

/** The inputs as the metric reads them. */
function examplesOf({ inputs }: Case, metric: Metric): Example[] {
  const { predictions, references = [], scores, probabilities, noAnswerProbabilities, negativeLogLikelihoods } = inputs;
  if (negativeLogLikelihoods) return negativeLogLikelihoods.map((sum) => ({ sum: Number(sum), count: 1 }));
  return references.map((reference, i): Example => {
    const prediction = predictions?.[i];
    if (probabilities) {
      const p = numbers(probabilities[i]);
      return { prediction: p.indexOf(Math.max(...p)), reference: Number(reference), scores: p };
    }
    if (scores) {
      const score = Number(scores[i]);
      return { prediction: score >= 0.5 ? 1 : 0, reference: Number(reference), scores: [1 - score, score] };
    }
    if (metric.reads.includes("text")) {
      const golds = Array.isArray(reference) ? reference : [reference];
      return {
        prediction: text(prediction),
        references: golds.map(text),
        ...(noAnswerProbabilities ? { noAnswerProbability: Number(noAnswerProbabilities[i]) } : {}),
      };
    }
    if (metric.reads.includes("tags")) return { prediction: strings(prediction), reference: strings(reference) };
    return { prediction: Number(prediction), reference: Number(reference) };
  });
}

const text = (value: unknown): string => (Array.isArray(value) ? value.join(" ") : String(value));
const strings = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);
const numbers = (value: unknown): number[] => (Array.isArray(value) ? value.map(Number) : []);

/** The largest difference over the parts of the value. */
function difference(item: Case, result: Named<Value>): Readonly<{ by: number; text: string }> {
  const expected = typeof item.value === "object" && item.value !== null
    ? Object.entries(item.value)
    : [["", item.value] as const];
  let worst = { by: 0, text: "equal" };
  for (const [key, value] of expected) {
    const found = lookUp(item, result, key);
    const by = found === undefined
      ? Infinity
      : found === null || value === null
      ? (found === value ? 0 : Infinity)
      : Math.abs(found - value) / Math.max(1, Math.abs(value));
    if (by > worst.by) worst = { by, text: `${key || item.metric}: expected ${value}, found ${found}` };
  }
  return worst;
}

/** Keys are the metric's name, or its parts', with the average. */
function lookUp({ metric, options }: Case, result: Named<Value>, key: string): Value | undefined {
  const average = "average" in options ? String(options.average) : "binary";
  const kind = "kind" in options ? String(options.kind) : metric;
  const names = key === ""
    ? [metric, `${metric}_${average}`]
    : [`${metric}_${key}`, `${metric}_${key}_${average}`, `${key}_${average}`, `${kind}_${key}`];
  if (key === "score") names.push(metric);
  if (key === "f1") names.push(kind);
  return names.map((name) => result[name]).find((value) => value !== undefined);
}
