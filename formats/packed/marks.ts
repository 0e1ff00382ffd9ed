/** Marks by which checkpoints with weights quantized by a library are recognized. */
import type { Json, Named } from "../../core/types.ts";

/** Fields of config.json that say how weights are quantized. */
export const configFields: readonly string[] = ["quantization_config", "compression_config", "quantization"];

/** Patterns for each library's tensor names: a file may have such tensors without a config that names the method. */
export const tensorPatterns: readonly (readonly [method: string, names: RegExp])[] = [
  ["bitsandbytes", /\.SCB$|\.absmax$|\.quant_state\.bitsandbytes__\w+$/],
  ["gptq", /\.g_idx$/],
  ["awq", /\.qweight$/],
  ["compressed-tensors", /\.weight_packed$/],
  ["hqq", /\.W_q$/],
  ["fp8", /\.weight_scale(_inv)?$/],
];

/** Whether a checkpoint may have quantized weights; `methodOf` returns the library's method. */
export function looksPacked(config: Named<Json>, names: readonly string[]): boolean {
  const isMarked = (tensor: string): boolean => tensorPatterns.some(([, pattern]) => pattern.test(tensor));
  return configFields.some((name) => (config[name] ?? null) !== null) || names.some(isMarked);
}
