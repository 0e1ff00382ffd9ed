/** Runs of the tiny model with optimizers. */
import type { Json, Named, Store } from "../../../core/types.ts";
import { run as runTiny } from "../../tiny_run.ts";

/** Weights by name. */
export type Weights = Named<Float32Array>;

/** A run at a rate of 0.1 unless said otherwise, without clipping. */
export async function run(
  optimizer: Json,
  training: Named<Json> = {},
  options: { output?: Store; resume?: boolean; stopAt?: number; adapter?: Json } = {},
): Promise<{ losses: number[]; weights: Weights; evaluated: number[] }> {
  const { losses, evaluated, weights } = await runTiny({
    ...options,
    optimizer,
    training: { trainSamplingStrategy: "random", ...training },
  });
  return {
    losses: losses.map(({ total = NaN }) => total),
    evaluated: evaluated.map(({ loss = NaN }) => loss),
    weights,
  };
}
