/**
 * Runs of the tiny model with optimizers.
 * @module
 */
import { compose } from "../../../core/spec/compose.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import { readSafetensors } from "../../../core/files/safetensors.ts";
import type { Json, Named, RunSpec, Store, TrainingEvent } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { memory } from "../../../plugins/stores/memory.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyHost, tinySpec } from "../../tiny.ts";

/** Weights by name. */
export type Weights = Named<Float32Array>;

/** A run at a rate of 0.1 unless said otherwise, without clipping. */
export async function run(
  optimizer: Json,
  training: Named<Json> = {},
  options: { output?: Store; resume?: boolean; stopAt?: number; adapter?: Json } = {},
): Promise<{ losses: number[]; weights: Weights; evaluated: number[] }> {
  const output = options.output ?? await memory().open(await hostHere(1));
  const abort = new AbortController();
  const losses: number[] = [];
  const evaluated: number[] = [];
  const spec = {
    ...tinySpec({
      optimizer,
      adapter: options.adapter ?? [],
      training: { learningRate: 0.1, maxGradNorm: 0, ...training },
    }),
    schedule: "constant",
  } as unknown as RunSpec;
  const events: AsyncIterable<TrainingEvent> = trainRun(compose(spec, catalog), tinyHost(await hostHere(1)), {
    output,
    resume: options.resume,
    signal: abort.signal,
  });
  for await (const event of events) {
    if (event.type === "step") {
      losses.push(event.loss);
      if (event.step === options.stopAt) abort.abort();
    }
    if (event.type === "evaluate") evaluated.push(event.metrics.loss ?? NaN);
  }
  const key = options.adapter ? "adapter/adapter_model.safetensors" : "model/model.safetensors";
  const bytes = (await output.get(key))?.bytes;
  const tensors = bytes ? readSafetensors(bytes, key) : {};
  return {
    losses,
    evaluated,
    weights: Object.fromEntries(Object.entries(tensors).map(([name, t]) => [name, t.data as Float32Array])),
  };
}
