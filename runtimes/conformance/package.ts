/**
 * The batteries over what a package brings: general ones for every plugin, those of its kind, and a short run with it.
 * @module
 */
import assert from "node:assert/strict";
import { compose } from "../../core/compose.ts";
import { type PluginPackage, withPackages } from "../../core/packages.ts";
import { trainRun } from "../../core/run/train.ts";
import type { Catalog, Entry, Host, Json, Kind, Kinds, Named, Readings, RunSpec, Store } from "../../core/types.ts";
import { memory } from "../../plugins/stores/memory.ts";
import { callbackConformance } from "./callback.ts";
import { loggedEvents, loggerConformance } from "./logger.ts";
import { metricConformance } from "./metric.ts";
import { scheduleConformance } from "./schedule.ts";
import type { Tester } from "./tester.ts";

/** What the batteries run with. */
export type CheckContext = Readonly<{ catalog: Catalog; host: Host }>;

/** Where a run's spec takes a plugin of a kind; kinds that are not here change what rows a run needs. */
const places: { readonly [K in Kind]?: (part: Json) => Named<Json> } = {
  tokenizer: (part) => ({ tokenizer: part }),
  loss: (part) => ({ loss: part }),
  adapter: (part) => ({ adapter: [part] }),
  optimizer: (part) => ({ optimizer: part }),
  schedule: (part) => ({ schedule: part }),
  regularizer: (part) => ({ regularizers: [part] }),
  metric: (part) => ({ metrics: [part] }),
  callback: (part) => ({ callbacks: [part] }),
  logger: (part) => ({ loggers: [part] }),
};

/** Hands every test of a package's plugins to `test`. */
export function packageConformance(added: PluginPackage, context: CheckContext, test: Tester): void {
  const catalog = withPackages(context.catalog, [added]);
  for (const entry of added.entries) {
    const title = `${entry.kind} ${entry.use}`;
    // Options of plugins that cannot do without: "schedule halves" → them.
    const options = added.conformance?.[title];
    const made = entry.parse(options ?? {});
    test(`${title}: its options have defaults, or the package's export "conformance" has some`, () => {
      assert.equal(made.issues?.map(({ message }) => message).join("; "), undefined);
    });
    if (made.issues) continue;
    test(`${title}: carries its kind, its name and its options, which are JSON`, () => {
      const { kind, name, options: own } = made.value;
      assert.deepEqual([kind, name], [entry.kind, entry.use]);
      assert.doesNotThrow(() => JSON.stringify(own));
    });
    ofKind(entry, made.value, { ...context, catalog }, title, test);
    const place = places[entry.kind];
    const part = { use: entry.use, ...(options === undefined ? {} : { with: options as Named<Json> }) };
    if (place) runs(title, place(part), { ...context, catalog }, test);
  }
}

function ofKind(entry: Entry, plugin: Kinds[Kind], context: CheckContext, title: string, test: Tester): void {
  if (entry.kind === "schedule") scheduleConformance(title, plugin as Kinds["schedule"], test);
  if (entry.kind === "metric") {
    const metric = plugin as Kinds["metric"];
    metricConformance(title, metric, examples[metric.reads[0] ?? "label"], test);
  }
  if (entry.kind === "logger") {
    const run = compose(specWith({}), context.catalog);
    loggerConformance(title, plugin as Kinds["logger"], context.host, run, test);
  }
  if (entry.kind === "callback") {
    const callback = plugin as Kinds["callback"];
    let state = callback.init();
    // What it waits for is its own matter: without an answer to these events only the run says something of it.
    const answers = loggedEvents.some((event) => {
      const { state: next, ask } = callback.on(state, event);
      state = next;
      return ask !== undefined;
    });
    if (answers) callbackConformance(title, callback, loggedEvents, test);
  }
}

const six = <T>(of: (i: number) => T): readonly T[] => Array.from({ length: 6 }, (_, i) => of(i));

/** Six readings of each kind. */
const examples: { readonly [K in keyof Readings]: readonly Readings[K][] } = {
  label: six((i) => ({ prediction: i % 2, reference: i % 3 === 0 ? 1 : 0, scores: [1 - i / 6, i / 6] })),
  number: six((i) => ({ prediction: i, reference: i * i / 3 })),
  labels: six((i) => ({ prediction: [i % 2, 1], reference: [1, i % 3 === 0 ? 1 : 0], scores: [i / 6, 1 - i / 7] })),
  loss: six((i) => ({ sum: 1 + i, count: 2 })),
  tags: six((i) => ({ prediction: ["B-A", i % 2 ? "I-A" : "O"], reference: ["B-A", "O"] })),
  text: six((i) => ({ prediction: `the film ${i}`, references: [`the film ${i % 2}`, "a film"] })),
};

/** A run of a tiny encoder over four rows. */
function specWith(parts: Named<Json>, maxSteps = 4): RunSpec {
  const rows = [["good", "a good film"], ["bad", "an awful film"], ["good", "nice and fun"], ["bad", "a dull phone"]];
  const data = { use: "memory", with: { rows: rows.map(([label, text]) => ({ label, text })) } };
  const config = {
    model_type: "bert",
    vocab_size: 8192,
    hidden_size: 16,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    intermediate_size: 32,
    max_position_embeddings: 64,
    type_vocab_size: 2,
  };
  return {
    version: 1,
    name: "conformance",
    model: { use: "random", with: { tokenizer: "attune:base", config } },
    task: { use: "sequence-classification", with: { labels: ["bad", "good"] } },
    data: { train: data, eval: data },
    ...parts,
    training: {
      learningRate: 0.01,
      maxSteps,
      perDeviceTrainBatchSize: 2,
      saveSteps: 2,
      evalStrategy: "steps",
      evalSteps: 2,
    },
  } as unknown as RunSpec;
}

function runs(title: string, parts: Named<Json>, { catalog, host }: CheckContext, test: Tester): void {
  const losses = async (output: Store, stopAt = Infinity): Promise<Named<number>> => {
    const found: Record<string, number> = {};
    const abort = new AbortController();
    const resume = await output.get("log.jsonl") !== undefined;
    for await (
      const event of trainRun(compose(specWith(parts), catalog), host, { output, resume, signal: abort.signal })
    ) {
      if (event.type !== "step") continue;
      found[event.step] = event.loss;
      if (event.step === stopAt) abort.abort();
    }
    return found;
  };
  const store = async (): Promise<Store> => await memory().open(host);
  test(`${title}: a run with it trains, and every loss is a number`, async () => {
    const all = Object.values(await losses(await store()));
    assert.ok(all.length > 0, "no step was taken");
    for (const loss of all) assert.ok(Number.isFinite(loss), `${loss}`);
  });
  test(`${title}: the same run gives the same losses`, async () => {
    assert.deepEqual(await losses(await store()), await losses(await store()));
  });
  test(`${title}: a run that is interrupted goes on to the same losses`, async () => {
    const whole = await losses(await store());
    const output = await store();
    const first = await losses(output, 2);
    assert.deepEqual({ ...first, ...await losses(output) }, whole);
  });
}
