/** Merging of several saved adapters into one, tensor by tensor: LoRA by every method, IA3 by sums. */
import { badValue, missing } from "../../../core/base/errors.ts";
import { createRandom } from "../../../core/math/random.ts";
import type { TensorForm } from "../../../core/files/safetensors.ts";
import type { Store } from "../../../core/types.ts";
import { openAdapter, type OpenedAdapter } from "./config.ts";
import { mergeIa3 } from "./ia3.ts";
import { mergeLora } from "./lora.ts";
import type { MergedAdapter, MergeOptions } from "./merged_adapter.ts";
import { type Combination, drawnMask, mergeMethods } from "./methods.ts";

/**
 * Opens adapters (stores of their directories) and merges them.
 *
 * @throws as `combineAdapters`.
 */
export async function mergeAdapters(
  adapters: readonly Readonly<{ label: string; store: Store }>[],
  options: MergeOptions,
): Promise<MergedAdapter> {
  const opened: OpenedAdapter[] = [];
  for (const { label, store } of adapters) opened.push(await openAdapter(label, store));
  return combineAdapters(opened, options);
}

/**
 * Merges opened adapters.
 *
 * @throws AttuneError if their types or shapes differ, or the options do not fit.
 */
export function combineAdapters(opened: readonly OpenedAdapter[], options: MergeOptions): MergedAdapter {
  const [first] = opened;
  if (!first) throw badValue("merge", "adapters", 0, "at least one adapter");
  const { weights, combination } = checkedOptions(opened.length, options);
  const type = first.config.peft_type;
  for (const { config, label } of opened) {
    if (config.peft_type !== type) throw badValue("merge", label, config.peft_type, `an adapter of type ${type}`);
  }
  const head = (options.modulesFrom === undefined ? opened.find((own) => own.head) : opened[options.modulesFrom])?.head;
  if (type === "IA3") return { ...mergeIa3(opened, weights, combination, options), head };
  if (type !== "LORA") throw badValue("merge", first.label, type, "LoRA or IA3");
  for (const { config, label } of opened) {
    if (config.use_dora === true || config.lora_bias === true) {
      throw badValue("merge", label, config.use_dora ? "use_dora" : "lora_bias", "a LoRA with A and B only");
    }
  }
  return { ...mergeLora(opened, weights, combination, options), head };
}

/** Presents a merged adapter as an opened one. */
export function mergedAsOpened(
  { config, head, forms, read }: MergedAdapter,
  label = "the merged adapter",
): OpenedAdapter {
  const form = (name: string): TensorForm => {
    const form = forms[name];
    if (!form) throw missing("merge", `tensor "${name}"`, label);
    return form;
  };
  return { label, config, head, names: Object.keys(forms), form, read };
}

function checkedOptions(
  count: number,
  o: MergeOptions,
): Readonly<{ weights: readonly number[]; combination: Combination }> {
  if (!mergeMethods.includes(o.method)) {
    throw badValue("merge", "method", o.method, `one of ${mergeMethods.join(", ")}`);
  }
  const weights = o.weights ?? Array.from({ length: count }, () => 1 / count);
  if (weights.length !== count || !weights.every(Number.isFinite)) {
    throw badValue("merge", "weights", weights, `${count} finite numbers, one per adapter`);
  }
  // One adapter alone is only scaled, as in PEFT.
  const method = count === 1 ? "linear" : o.method;
  const prunes = /ties|dare|magnitude/.test(method);
  if (prunes && o.density === undefined) {
    throw badValue("merge", "density", undefined, `a number from 0 to 1 for ${method}`);
  }
  if (o.density !== undefined && !(o.density >= 0 && o.density <= 1 && (o.density > 0 || !method.startsWith("dare")))) {
    throw badValue("merge", "density", o.density, "a number from 0 to 1, above 0 for dare");
  }
  if (o.svdRank !== undefined && (!Number.isInteger(o.svdRank) || o.svdRank < 1)) {
    throw badValue("merge", "svdRank", o.svdRank, "a whole number from 1");
  }
  const density = o.density ?? 1;
  return {
    weights,
    combination: {
      method,
      density,
      majoritySignMethod: o.majoritySignMethod ?? "total",
      mask: o.masks ?? drawnMask(createRandom(o.seed ?? 42), density),
    },
  };
}
