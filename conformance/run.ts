/** Checks of a short run that uses a plugin. */
import { compose } from "../core/spec/compose.ts";
import { trainRun } from "../core/run/train/train.ts";
import type { Kind, Kinds, Named, Plugin, Store } from "../kit.ts";
import { assert } from "./assert.ts";
import { type Bench, type BenchFigures, benchOf, memoryStore, NO_LIB } from "./bench.ts";
import { type Check, check, needing } from "./check.ts";

/** The place of a plugin in a run's spec, by kind. Missing kinds would change the rows that a run needs. */
const places: { readonly [K in Kind]?: (part: unknown) => Named<unknown> } = {
  tokenizer: (part) => ({ tokenizer: part }),
  loss: (part) => ({ loss: part }),
  adapter: (part) => ({ adapter: [part] }),
  optimizer: (part) => ({ optimizer: part }),
  schedule: (part) => ({ schedule: part }),
  regularizer: (part) => ({ regularizers: [part] }),
  metric: (part) => ({ metrics: [part] }),
  callback: (part) => ({ callbacks: [part] }),
  logger: (part) => ({ loggers: [part] }),
  exporter: (part) => ({ exporters: [part] }),
};

/** Returns what a plugin needs but the tiny classification task lacks; undefined if nothing. */
function unmetNeed(plugin: Plugin): string | undefined {
  if (plugin.kind === "metric") {
    const { reads } = plugin as Kinds["metric"];
    return reads.includes("label") || reads.includes("loss") ? undefined : `a task that is read as ${reads.join(", ")}`;
  }
  if (plugin.kind !== "loss") return undefined;
  const { compares = "classes" } = plugin as Kinds["loss"];
  return compares === "classes" ? undefined : `a task whose targets are ${compares}`;
}

/** Returns the checks of a run with a plugin. `part`: the plugin as a spec refers to it; `figures.catalog` has it. */
export function runChecks(plugin: Plugin, part: unknown, figures: BenchFigures): readonly Check[] {
  const place = places[plugin.kind];
  if (!place) return [];
  const missing = unmetNeed(plugin);
  const bench = missing === undefined ? benchOf(figures) : undefined;
  return needing(bench, missing ?? NO_LIB, (bench) => checksOn(bench, place(part)));
}

function checksOn({ host, catalog, spec }: Bench, parts: Named<unknown>): readonly Check[] {
  const training = { learningRate: 0.01, saveSteps: 2, evalStrategy: "steps", evalSteps: 2 };
  const losses = async (output: Store, stopAt = Infinity): Promise<Named<number>> => {
    const losses: Record<string, number> = {};
    const abort = new AbortController();
    const resume = await output.get("log.jsonl") !== undefined;
    const run = compose(spec(parts, training), catalog);
    for await (const event of trainRun(run, host, { output, resume, signal: abort.signal })) {
      if (event.type !== "step") continue;
      losses[event.step] = event.loss;
      if (event.step === stopAt) abort.abort();
    }
    return losses;
  };
  return [
    check("a run with it trains, and every loss is a number", async () => {
      const all = Object.values(await losses(memoryStore()));
      assert.ok(all.length > 0, "no step was taken");
      for (const loss of all) assert.ok(Number.isFinite(loss), `a loss of ${loss}`);
    }),
    check(
      "the same run gives the same losses",
      async () => assert.deepEqual(await losses(memoryStore()), await losses(memoryStore())),
    ),
    check("a run that is interrupted goes on to the same losses", async () => {
      const whole = await losses(memoryStore());
      const output = memoryStore();
      const first = await losses(output, 2);
      assert.deepEqual({ ...first, ...await losses(output) }, whole);
    }),
  ];
}
