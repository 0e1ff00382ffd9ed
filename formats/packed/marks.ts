/** By what a checkpoint whose weights a library has quantized is known. */
import type { Json, Named } from "../../core/types.ts";

/** Fields of config.json that say how weights are quantized. */
export const configFields: readonly string[] = ["quantization_config", "compression_config", "quantization"];

/** What tensors of each library are called: a file may have them without a config that says so. */
export const marks: readonly (readonly [method: string, names: RegExp])[] = [
  ["bitsandbytes", /\.SCB$|\.absmax$|\.quant_state\.bitsandbytes__\w+$/],
  ["gptq", /\.g_idx$/],
  ["awq", /\.qweight$/],
  ["compressed-tensors", /\.weight_packed$/],
  ["hqq", /\.W_q$/],
  ["fp8", /\.weight_scale(_inv)?$/],
];

/** Whether a checkpoint may be one: `methodOf` says of which library. */
export function looksPacked(config: Named<Json>, names: readonly string[]): boolean {
  const isMarked = (tensor: string): boolean => marks.some(([, pattern]) => pattern.test(tensor));
  return configFields.some((name) => (config[name] ?? null) !== null) || names.some(isMarked);
}
