/** Whole runs of the tiny model, and numbers beside numbers. */
import assert from "node:assert/strict";
import { compose } from "../core/spec/compose.ts";
import { trainRun } from "../core/run/train/train.ts";
import { readSafetensors } from "../core/files/safetensors.ts";
import type { Json, Named, Row, RunSpec, Store } from "../core/types.ts";
import { catalog } from "../plugins/catalog.ts";
import { memory } from "../plugins/stores/memory.ts";
import { hostHere } from "../runtimes/host/train.ts";
import { tinyHost, tinySpec, tinyWeights } from "./tiny.ts";

/** What a run did. `losses`: each term by step; `evaluated`: the metrics of each evaluation. */
export type Ran = Readonly<{
  losses: Readonly<Record<string, number>>[];
  evaluated: Named<number>[];
  weights: Named<Float32Array>;
  bytes: Uint8Array | undefined;
}>;

/** A run with plain SGD unless said otherwise, without clipping. */
export async function run(
  change: Readonly<{
    regularizers?: Json;
    optimizer?: Json;
    training?: Named<Json>;
    rows?: readonly Row[];
    evaluation?: readonly Row[];
    dropout?: number;
    model?: Uint8Array | undefined;
    adapter?: Json;
    task?: Json;
    output?: Store;
    resume?: boolean;
    stopAt?: number;
  }> = {},
): Promise<Ran> {
  const spec = tinySpec({
    optimizer: change.optimizer ?? "sgd",
    training: { learningRate: 0.1, maxGradNorm: 0, trainSamplingStrategy: "sequential", ...change.training },
    rows: change.rows,
    dropout: change.dropout,
    adapter: change.adapter,
  });
  const evaluation = change.evaluation && { use: "memory", with: { rows: change.evaluation as unknown as Json } };
  const whole = {
    ...spec,
    schedule: "constant",
    regularizers: change.regularizers ?? [],
    ...(change.task === undefined
      ? { data: { ...(spec.data as Named<Json>), ...(evaluation ? { eval: evaluation } : {}) } }
      : { task: change.task, data: undefined }),
  } as unknown as RunSpec;
  const output = change.output ?? await memory().open(await hostHere(1));
  const abort = new AbortController();
  const host = tinyHost(await hostHere(1), change.model ? { "model.safetensors": change.model } : {});
  const losses: Readonly<Record<string, number>>[] = [];
  const evaluated: Named<number>[] = [];
  for await (
    const event of trainRun(compose(whole, catalog), host, {
      output,
      resume: change.resume,
      signal: abort.signal,
    })
  ) {
    if (event.type === "step") {
      losses.push({ ...event.losses, total: event.loss });
      if (event.step === change.stopAt) abort.abort();
    }
    if (event.type === "evaluate") evaluated.push(event.metrics);
  }
  const key = change.adapter ? "adapter/adapter_model.safetensors" : "model/model.safetensors";
  const bytes = (await output.get(key))?.bytes;
  const tensors = bytes ? readSafetensors(bytes, key) : {};
  const weights = Object.fromEntries(Object.entries(tensors).map(([name, t]) => [name, t.data as Float32Array]));
  return { losses, evaluated, weights, bytes };
}

/** Σ of a function of two lists of numbers. */
export function summed(a: ArrayLike<number>, b: ArrayLike<number>, f: (a: number, b: number) => number): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += f(a[i] ?? NaN, b[i] ?? NaN);
  return sum;
}

/** The tiny model's weights before training. */
export const startWeights: Named<Float32Array> = Object.fromEntries(
  Object.entries(tinyWeights()).map(([name, { data }]) => [name, data]),
);

/** Holds where a number is another one, but for a share of it where that is above 1. */
export function near(actual: number | undefined, wanted: number, tolerance = 1e-5): void {
  assert.ok(Math.abs((actual ?? NaN) - wanted) <= tolerance * Math.max(1, Math.abs(wanted)), `${actual} and ${wanted}`);
}
