/** Inference with a trained run: predictions of rows, without training state. */
import { createEvaluator, type Evaluator } from "../../engine/evaluator.ts";
import { createFeeder } from "../../engine/feeds.ts";
import { initialWeights } from "../../engine/weights.ts";
import { createRandom } from "../../math/random.ts";
import { predictionsReader, type RowReader } from "../../loop/rows.ts";
import { AttuneError, unsupported } from "../../base/errors.ts";
import type { Batch, Dataset, Host, Json, Named, Ort, Tensor } from "../../types.ts";
import { refuseNewParts } from "../open/new_parts.ts";
import { encodeRows } from "../rows/data.ts";
import { batchesInOrder } from "../rows/ordered_batches.ts";
import { inOrder } from "../rows/encoded_rows.ts";
import { packingRoom } from "../open/memory.ts";
import type { OpenRun } from "../open/open.ts";

/** Optional further outputs. `untrained`: also predict with a new head, whose weights are random. */
export type InferOptions = Readonly<
  { outputHiddenStates?: boolean; outputAttentions?: boolean; untrained?: boolean }
>;

/** Returns a host's onnxruntime. Throws AttuneError if it has none. */
export function ortOf({ lib }: Host): Ort {
  if (lib) return lib;
  throw new AttuneError("This host has no onnxruntime: pass one as host.lib", {
    code: "NO_RUNTIME",
    plugin: "engine",
  });
}

/** Creates an evaluator of an opened run. Throws AttuneError if the host has no onnxruntime. */
export function openEvaluator(open: OpenRun, options: InferOptions = {}): Evaluator {
  const { host, checkpoint, attached, backbone, run } = open;
  const lib = ortOf(host);
  return createEvaluator({
    ...open,
    ...options,
    accelerators: run.accelerators,
    initial: initialWeights(checkpoint, attached, backbone, createRandom(run.training.seed)),
    fed: new Map(),
    weights: {},
    feeder: createFeeder(lib, new Map(), host.kernels),
    reads: open.task.evaluationOutputs,
    labelSmoothing: run.training.labelSmoothingFactor,
    prepackLimit: packingRoom(run.training, host),
  });
}

/** Yields one prediction per row, in order, and then closes the evaluator. Throws AttuneError if the head is new. */
export async function* predictRows(
  open: OpenRun,
  dataset: Dataset,
  options: InferOptions = {},
  evaluator: Evaluator = openEvaluator(open, options),
): AsyncIterable<Named<Json>> {
  if (!options.untrained) refuseNewParts(open);
  try {
    const samples = inOrder(await encodeRows(open, dataset, false));
    if (open.task.generate) {
      if (options.outputHiddenStates || options.outputAttentions) {
        throw unsupported(
          "engine",
          "outputHiddenStates, outputAttentions",
          true,
          "rows are answered with generated text",
        );
      }
      const { generateRows } = await import("./generate.ts");
      yield* generateRows(open, await evaluator.generator(), samples);
      return;
    }
    const batches = batchesInOrder(samples, open.run.training.perDeviceEvalBatchSize, open.layout);
    yield* predictSamples(open, batches, async (batch) => (await evaluator.run(batch, false)).outputs);
  } finally {
    await evaluator.close();
  }
}

/** Yields one prediction per row of batches, in order. */
export async function* predictSamples(
  open: OpenRun,
  batches: AsyncIterable<Batch>,
  run: (batch: Batch) => Promise<Named<Tensor<Float32Array>>>,
): AsyncIterable<Named<Json>> {
  const reader = predictionsReader(open.task, open.tokenizer);
  for await (const batch of batches) yield* predictions(open, reader, await run(batch), batch);
  yield* reader.end();
}

/** Returns predictions of the rows that a batch completes, with further outputs if there are any. */
function predictions(
  { task }: OpenRun,
  reader: RowReader<Named<Json>>,
  outputs: Named<Tensor<Float32Array>>,
  batch: Batch,
): Named<Json>[] {
  const states = perSequence(outputs, batch);
  if (states.some((s) => Object.keys(s).length > 0) && (task.windows || batch.sequences !== batch.samples)) {
    throw unsupported("engine", "outputHiddenStates, outputAttentions", true, "a row is several sequences here");
  }
  return reader.read(outputs, batch).map((prediction, i) => ({ ...prediction, ...states[i] }));
}

/** Returns hidden states [layer][token][hidden] and attentions [layer][head][query][key] of each sequence. */
function perSequence(outputs: Named<Tensor<Float32Array>>, batch: Batch): Named<Json>[] {
  const results: Record<string, Json[]>[] = Array.from({ length: batch.sequences }, () => ({}));
  for (const [name, { data, dims }] of Object.entries(outputs)) {
    const [kind] = name.split(".");
    if (kind !== "hiddenStates" && kind !== "attentions") continue;
    if (kind === "attentions" && batch.decoder) {
      throw unsupported("engine", "outputAttentions", true, "encoder-decoder attentions are not implemented");
    }
    results.forEach((result, i) => {
      const places: number[] = [];
      const side = batch.decoder ?? batch;
      for (let p = 0; p < batch.batch * side.seq; p++) if (side.tokenOrigins[2 * p] === i) places.push(p);
      const list = result[kind] ??= [];
      if (kind === "hiddenStates") {
        const width = dims[2] ?? 1;
        list.push(places.map((p) => [...data.subarray(p * width, (p + 1) * width)]));
        return;
      }
      const [, heads = 1, seq = 1, keys = seq] = dims;
      // Prefix keys, which every token attends to, come before the tokens' own keys.
      const prefix = Array.from({ length: keys - seq }, (_, k) => k);
      const row = Math.floor((places[0] ?? 0) / seq);
      list.push(
        Array.from(
          { length: heads },
          (_, h) =>
            places.map((q) =>
              [...prefix, ...places.map((k) => prefix.length + (k % seq))]
                .map((k) => data[((row * heads + h) * seq + (q % seq)) * keys + k] ?? 0)
            ),
        ),
      );
    });
  }
  return results;
}
