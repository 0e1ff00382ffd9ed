/** Merging of IA3 adapters: weighted sums of their vectors, as in PEFT. */
import { badValue } from "../../../core/base/errors.ts";
import type { TensorForm } from "../../../core/files/safetensors.ts";
import type { Json } from "../../../core/types.ts";
import { mergedTargets, savedModules } from "./adapter_modules.ts";
import type { OpenedAdapter } from "./config.ts";
import type { MergedAdapter, MergeOptions } from "./merged_adapter.ts";
import type { Combination } from "./methods.ts";

/** Merges IA3 adapters. Throws AttuneError if the method is not "linear". */
export function mergeIa3(
  opened: readonly OpenedAdapter[],
  weights: readonly number[],
  { method }: Combination,
  options: MergeOptions,
): MergedAdapter {
  if (method !== "linear") throw badValue("merge", "method", method, "linear, for IA3");
  const whole = savedModules(opened, (name) => name.endsWith(".ia3_l"), options);
  const forms: Record<string, TensorForm> = {};
  for (const { names, form } of opened) {
    for (const name of names) {
      if (name.endsWith(".ia3_l") || whole.has(name)) forms[name] = form(name);
    }
  }
  const list = (field: string): Json =>
    [...new Set(opened.flatMap(({ config }) => config[field] as string[] ?? []))].sort();
  return {
    config: {
      ...opened[0]?.config,
      target_modules: mergedTargets(opened),
      feedforward_modules: list("feedforward_modules"),
    },
    forms,
    read: async (name) => {
      const from = whole.get(name);
      if (from) return await from.read(name);
      const dims = forms[name]?.dims ?? [];
      const tasks: Float64Array[] = [];
      const shares: number[] = [];
      for (const [i, { names, read }] of opened.entries()) {
        if (!names.includes(name)) continue;
        tasks.push(Float64Array.from((await read(name)).data));
        shares.push(weights[i] ?? 0);
      }
      const sum = new Float64Array(tasks[0]?.length ?? 0);
      tasks.forEach((task, t) => task.forEach((x, i) => (sum[i] = (sum[i] ?? 0) + (shares[t] ?? 0) * x)));
      return { dtype: "float32", dims, data: Float32Array.from(sum) };
    },
  };
}
