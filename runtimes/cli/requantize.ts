/** `attune merge --requantize`: opens a base as its library packed it, and measures what repacking loses. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { badValue } from "../../core/base/errors.ts";
import { compareRuns, type RunDifference } from "../../core/run/write/export.ts";
import { openRun } from "../../core/run/open/open.ts";
import { turnedIn } from "../../core/run/open/quantized_base.ts";
import { sharedTensors } from "../../core/run/open/shared_tensors.ts";
import { openWeights } from "../../core/files/safetensors.ts";
import { overWholeWeights } from "../../core/spec/whole_weights.ts";
import type { Checkpoint, Host, Json, Named, RunSpec, Store } from "../../core/types.ts";
import { packedIn } from "../../formats/packed/open.ts";
import type { MergedModel } from "../../formats/peft/merge/into_base.ts";
import { mergedValues, type PackedBase, repackedNames } from "../../formats/peft/merge/requantized.ts";
import { writeModel } from "../../formats/peft/merge/write_model.ts";
import { catalog } from "../../plugins/catalog.ts";
import { readConfig } from "../../blocks/model/mod.ts";
import { openModel } from "../../plugins/models/pretrained/open_model.ts";
import { catalogFor, composed } from "../host/plugin_packages.ts";
import { readSpec } from "../host/spec_file.ts";
import { probes, taskOf } from "../serve/probes.ts";

/** Opens the base as its files store it. Throws AttuneError if none of its weights are packed, or it is a GGUF file. */
export async function openPackedBase(files: Store, opened: Checkpoint, gguf: string | undefined): Promise<PackedBase> {
  const { label, config } = opened;
  const allowed = "a base whose weights bitsandbytes or hqq has quantized";
  if (gguf !== undefined) throw badValue("merge", "--requantize", `the GGUF file ${gguf}`, allowed);
  const stored = { label, config: await readConfig("merge", files, label), weights: await openWeights(files) };
  const packed = await packedIn("merge", stored);
  if (!packed) throw badValue("merge", "--requantize", `an unquantized base (${label})`, allowed);
  const shared = sharedTensors(catalog, config, opened.weights.names);
  return { ...packed, label, weights: stored.weights, isTransposed: shared ? turnedIn(opened, shared) : () => false };
}

/** Losses of a requantized merge: in outputs, in the mean loss, and the largest of any weight, ‖Q - W‖ / ‖W‖. */
export type Lost = RunDifference & Readonly<{ weights: number; weight: Readonly<{ name: string; error: number }> }>;

/** A merge that was written: the adapter's folder, the unquantized merge, and the base. `files`: those of the base. */
export type Requantized = Readonly<{
  adapter: string;
  merged: MergedModel;
  base: PackedBase;
  files: Store;
  output: string;
}>;

/** Compares what was written with the unquantized merge, which is written to a temporary folder beside it. */
export async function lostBy(requantizing: Requantized, host: Host, directory: (path: string) => Store): Promise<Lost> {
  const { adapter, merged, base, files, output } = requantizing;
  const weight = await worstWeight(merged, base, await openModel("merge", directory(output), output));
  const beside = mkdtempSync(join(dirname(output), ".unquantized-"));
  try {
    await writeModel(merged, files, directory(beside));
    const { spec, losses } = await specFor(adapter, directory(output), directory(resolve(adapter)));
    const over = async (path: string) =>
      await openRun(await composed({ ...spec, model: { use: "pretrained", with: { path } } }), host);
    const comparison = await compareRuns(await over(beside), await over(output), { labelled: losses, losses });
    return { ...comparison, weights: repackedNames(merged, base).length, weight };
  } finally {
    rmSync(beside, { recursive: true, force: true });
  }
}

/** Returns the weight with the largest error in the written folder. */
async function worstWeight(merged: MergedModel, base: PackedBase, { weights }: Checkpoint): Promise<Lost["weight"]> {
  let worst: Lost["weight"] = { name: "", error: 0 };
  for (const name of repackedNames(merged, base)) {
    const [due, { data }] = [await mergedValues(merged, base, name), await weights.read(name)];
    let [lost, all] = [0, 0];
    due.forEach((x, i) => {
      lost += ((data[i] as number) - x) ** 2;
      all += x ** 2;
    });
    const error = all === 0 ? 0 : Math.sqrt(lost / all);
    if (!(error <= worst.error)) worst = { name, error };
  }
  return worst;
}

/** Returns the spec to compare by: the adapter's run with its rows, or else the adapter's task over a few texts. */
async function specFor(
  adapter: string,
  model: Store,
  files: Store,
): Promise<Readonly<{ spec: Named<Json>; losses: boolean }>> {
  const path = join(resolve(adapter), "..", "spec.json");
  const whole = existsSync(path) ? await readSpec(path) : undefined;
  const rows = (whole as unknown as RunSpec | undefined)?.data;
  const isOneTask = (whole?.task as Named<Named<Json>> | undefined)?.with?.tasks === undefined;
  if (whole && isOneTask && (rows?.eval ?? rows?.train)) {
    // The spec gets another model, so its versions and fingerprints no longer apply.
    const { versions: _versions, fingerprints: _fingerprints, accelerators: _accelerators, ...spec } = overWholeWeights(
      whole,
      await catalogFor(whole),
    );
    return { spec, losses: true };
  }
  const task = await taskOf(model, files, []);
  const spec = { version: 1, task, data: { eval: { use: "memory", with: { rows: probes } } } };
  // Texts alone are enough for a language model's loss, but a classifier needs labels.
  return { spec: spec as unknown as Named<Json>, losses: task.use === "causal-lm" };
}

/** The default limit on how much requantizing may change the mean loss, in nats. */
const LOSS_DRIFT = 0.1;

/** The limit for inputs without labels: the change of outputs, as a share of their size. */
const OUTPUT_DRIFT = 0.25;

/** Describes the losses, one per line, and decides whether they are too large. */
export function judge(lost: Lost, lossDrift = LOSS_DRIFT): Readonly<{ text: string; isTooMuch: boolean }> {
  const { difference, relative, losses: [before, after], rows, weights, weight } = lost;
  const knows = !Number.isNaN(before);
  const loss = knows
    ? `loss ${before.toFixed(6)} unquantized, ${after.toFixed(6)} requantized (${after < before ? "" : "+"}${
      (after - before).toExponential(2)
    })`
    : `no loss, because the inputs have no labels; outputs change by ${relative.toExponential(2)} of their size`;
  const isTooMuch = !(knows ? Math.abs(after - before) <= lossDrift : relative <= OUTPUT_DRIFT);
  const [figure, most] = knows ? ["the loss", `${lossDrift} (--max-loss-drift)`] : ["outputs", `${OUTPUT_DRIFT}`];
  return {
    isTooMuch,
    text: [
      `verified on ${rows} inputs: largest logit difference ${difference.toExponential(2)}`,
      loss,
      `largest relative error of ${weights} weights ${weight.error.toExponential(2)}${
        weight.name === "" ? "" : ` (${weight.name})`
      }`,
      ...(isTooMuch ? [`too much is lost: ${figure} may change by ${most}`] : []),
    ].map((line) => `${line}\n`).join(""),
  };
}
