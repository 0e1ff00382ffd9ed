/**
 * The drift that quantizing causes, measured before the first step. A run reports it, and does not start if it exceeds
 * an accelerator's limit.
 */
import { measureDrift } from "../../engine/drift.ts";
import { initialWeights } from "../../engine/weights.ts";
import { AttuneError } from "../../base/errors.ts";
import { layOut } from "../../loop/layout.ts";
import { createRandom } from "../../math/random.ts";
import type { Accelerator, Drift, Sample, TrainingEvent } from "../../types.ts";
import { isQuantizer } from "../open/quantizer.ts";
import type { TaskRows } from "../rows/task_rows.ts";

/** Limits of rows and tokens that are compared, since each row passes through both models twice. */
const ROWS = 32;
const TOKENS = 4096;

/**
 * Compares each task's model with the base as it is stored, and returns the largest drift of loss; undefined if nothing
 * is quantized.
 *
 * @throws AttuneError (REFUSED) if the mean loss changes by more than an accelerator's `maxLossDrift`.
 */
export async function* passQualityGate(tasks: readonly TaskRows[]): AsyncGenerator<TrainingEvent, Drift | undefined> {
  let worst: Drift | undefined;
  for (const task of tasks) {
    const { run, checkpoint } = task.open;
    const quantizers = run.accelerators.filter(isQuantizer);
    if (quantizers.length === 0 || !(checkpoint.frozen || checkpoint.products)) continue;
    const drift = await driftOf(task);
    yield { type: "drift", step: 0, epoch: 0, ...drift };
    for (const quantizer of quantizers) refuseDrift(quantizer, drift);
    if (!worst || !(Math.abs(drift.loss) <= Math.abs(worst.loss))) worst = drift;
  }
  return worst;
}

async function driftOf({ open, evalRows, train }: TaskRows): Promise<Drift> {
  const { run, host, checkpoint, backbone, task, heads, losses, attached, layout } = open;
  const rows = evalRows && evalRows.count > 0 ? evalRows : train;
  const places = Array.from({ length: Math.min(ROWS, rows.count) }, (_, i) => i);
  const batches = fewTokens(await rows.samples(places)).map((sample) => layOut([sample], layout));
  const [example] = batches;
  if (!example) return { rows: 0, loss: 0, logits: 0, gradientCosine: null };
  const random = createRandom(run.training.seed);
  const options = {
    host,
    checkpoint,
    backbone,
    accelerators: run.accelerators,
    labelSmoothing: run.training.labelSmoothingFactor,
    task: { name: task.name, heads, losses, attached, example },
  };
  return await measureDrift(options, (of) => initialWeights(of, attached, backbone, random), batches);
}

/** Returns the first samples, at least one, with at most `TOKENS` tokens together. */
function fewTokens(samples: readonly Sample[]): readonly Sample[] {
  let tokens = 0;
  const end = samples.findIndex(({ sequences }) => {
    tokens += sequences.reduce((n, { length, decoderLength = 0 }) => n + length + decoderLength, 0);
    return tokens > TOKENS;
  });
  return end < 0 ? samples : samples.slice(0, Math.max(1, end));
}

function refuseDrift({ name, maxLossDrift }: Accelerator, { loss, rows }: Drift): void {
  if (maxLossDrift === undefined || Math.abs(loss) <= maxLossDrift) return;
  const message =
    `"${name}" changes the mean loss of ${rows} rows by ${loss} nats, and maxLossDrift allows ${maxLossDrift}: ` +
    "nothing was trained";
  const details = { code: "REFUSED", plugin: name, path: "accelerators.*.with.maxLossDrift", found: loss };
  throw new AttuneError(message, { ...details, allowed: [`at most ${maxLossDrift}`] });
}
