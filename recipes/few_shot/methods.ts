/**
 * The compared ways to learn from a few rows: each takes rows and a seed and returns its accuracy on held-out rows.
 */
import { compose } from "../../core/spec/compose.ts";
import { trainRun } from "../../core/run/train/train.ts";
import { evaluateRun } from "../../core/run/evaluate/evaluate.ts";
import { openRun } from "../../core/run/open/open.ts";
import type { Catalog, Host, Json, Named, Row, RunSpec, Store } from "../../core/types.ts";
import { memory as rowsInMemory } from "../../plugins/data/memory.ts";
import { memory } from "../../plugins/stores/memory.ts";

/** Settings of every method. */
export type Setting = Readonly<
  { host: Host; catalog: Catalog; model: string; decoder: string | undefined; held: readonly Row[] }
>;

/** A way to learn. `needs`: the kind of model. */
export type Method = Readonly<{
  name: string;
  needs: "encoder" | "decoder";
  run: (rows: readonly Row[], seed: number, setting: Setting) => Promise<number>;
}>;

const LABELS = ["negative", "positive"];
/** The template and label words for an encoder, whose states are compared with word embeddings (see `transform`). */
const PROMPT: Named<Json> = {
  template: "{text} It was {mask}.",
  verbalizer: { negative: ["bad", "terrible", "poor"], positive: ["good", "great", "excellent"] },
};
const MAX_LENGTH = 64;
const STAGE = "stage:1";

const inMemory = (rows: readonly Row[]): Json => ({ use: "memory", with: { rows: rows as unknown as Json } });

/** Returns the number of training steps (of at most 16 rows each) for few rows. */
const stepsOf = (rows: readonly Row[]): number => 16 + rows.length / 4;

/** Returns the spec of one run. */
function specOf(
  { model, held }: Setting,
  rows: readonly Row[],
  seed: number,
  steps: number,
  learningRate: number,
  change: Named<Json>,
): RunSpec {
  return {
    version: 1,
    name: "few-shot",
    model: { use: "pretrained", with: { path: model } },
    data: { train: inMemory(rows), eval: inMemory(held) },
    schedule: { use: "linear", with: { warmupSteps: 0.1 } },
    ...change,
    training: {
      learningRate,
      maxSteps: steps,
      perDeviceTrainBatchSize: 16,
      perDeviceEvalBatchSize: 64,
      maxLength: MAX_LENGTH,
      saveStrategy: "no",
      seed,
    },
  } as unknown as RunSpec;
}

async function train(spec: RunSpec, { host, catalog }: Setting, output?: Store): Promise<number> {
  let accuracy = NaN;
  for await (const event of trainRun(compose(spec, catalog), host, { ...(output ? { output } : {}) })) {
    if (event.type === "evaluate") accuracy = event.metrics.accuracy ?? NaN;
    if (event.type === "end" && event.reason === "diverged") throw new Error(event.message);
  }
  return accuracy;
}

const classification: Json = { use: "sequence-classification", with: { labels: LABELS } };

const full: Method = {
  name: "full tuning",
  needs: "encoder",
  run: async (rows, seed, s) => await train(specOf(s, rows, seed, stepsOf(rows), 2e-4, { task: classification }), s),
};

const prompted = (name: string, learningRate: number, adapter: Json): Method => ({
  name,
  needs: "encoder",
  run: async (rows, seed, s) => {
    const task = { use: "prompt-classification", with: { ...PROMPT, transform: false } };
    return await train(specOf(s, rows, seed, stepsOf(rows), learningRate, { task, adapter }), s);
  },
});

/** SetFit (Tunstall et al. 2022): draws embeddings of equal labels together, then fits logistic regression on them. */
const setFit: Method = {
  name: "SetFit",
  needs: "encoder",
  run: async (rows, seed, s) => {
    const output = await memory().open(s.host);
    const pairs = { use: "pairs", with: { source: inMemory(rows), seed } };
    const first = specOf(s, rows, seed, 20 + rows.length / 4, 1e-4, { task: "sentence-similarity" });
    const { eval: _, ...data } = { ...first.data, train: pairs };
    await train({ ...first, data } as RunSpec, s, output);
    const host = withStage(s.host, output);
    // The penalty of scikit-learn's C = 1: half the sum of squared weights, divided by the number of rows.
    const optimizer = { use: "adam", with: { weightDecay: 1 / rows.length } };
    const head = { use: "pooled", with: { numLabels: LABELS.length } };
    const second = specOf({ ...s, model: STAGE }, rows, seed, 40, 0.2, {
      task: classification,
      head,
      adapter: ["freeze"],
      optimizer,
    });
    const config = { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 };
    return await train({ ...second, model: { use: "pretrained", with: { path: STAGE, config } } }, { ...s, host });
  },
};

/** In-context learning (Brown et al. 2020): the rows precede each prompt, and nothing trains. */
const inContext: Method = {
  name: "in context",
  needs: "decoder",
  run: async (rows, _seed, s) => {
    const task = {
      use: "prompt-classification",
      with: {
        template: "Review: {text}\nSentiment: {mask}",
        verbalizer: { negative: ["negative"], positive: ["positive"] },
        lm: "causal",
        scoring: "likelihood",
        separator: "\n\n",
        demonstrations: rows as unknown as Json,
      },
    };
    const spec = specOf({ ...s, model: s.decoder ?? "" }, rows, 0, 1, 0, { task });
    const training = { ...spec.training, maxLength: null, perDeviceEvalBatchSize: 4 };
    const open = await openRun(compose({ ...spec, training }, s.catalog), s.host);
    return (await evaluateRun(open, rowsInMemory({ rows: s.held }))).accuracy ?? NaN;
  },
};

/** Every method, in the order of the report. */
export const methods: readonly Method[] = [
  full,
  prompted("prompt, full tuning", 2e-4, []),
  prompted("prompt tuning", 5e-2, [{
    use: "prompt-tuning",
    with: { numVirtualTokens: 8, promptTuningInit: "SAMPLE_VOCAB" },
  }]),
  setFit,
  inContext,
];

/** Returns a host that has the first stage's model under a name. */
function withStage(host: Host, output: Store): Host {
  const model: Store = {
    ...output,
    get: (key, range) => output.get(`model/${key}`, range),
    list: async function* (prefix) {
      for await (const file of output.list(`model/${prefix}`)) {
        yield { ...file, key: file.key.slice("model/".length) };
      }
    },
  };
  return {
    ...host,
    directory: (path) => (path.endsWith(STAGE) ? model : host.directory?.(path) ?? model),
    resolve: (path, base) => (path.endsWith(STAGE) ? STAGE : host.resolve?.(path, base) ?? path),
  };
}
