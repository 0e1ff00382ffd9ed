/**
 * Checkpoints whose weights are codes of another library: refused by its name, since codes are no weights.
 * @module
 */
import { badFile, show } from "./errors.ts";
import type { Json, Named } from "./types.ts";

/** What tensors of each library are called: a file may have them without a config that says so. */
const marks: readonly (readonly [method: string, names: RegExp])[] = [
  ["bitsandbytes", /\.SCB$|\.absmax$|\.quant_state\.bitsandbytes__\w+$/],
  ["gptq", /\.g_idx$/],
  ["awq", /\.qweight$/],
  ["compressed-tensors", /\.weight_packed$/],
  ["hqq", /\.W_q$/],
  ["fp8", /\.weight_scale(_inv)?$/],
];

/**
 * Refuses a model whose weights are stored as another library's codes.
 *
 * @throws AttuneError with the method's name: what its config says, or else what its tensors are called.
 */
export function refuseQuantized(
  plugin: string,
  label: string,
  config: Named<Json> | undefined,
  names: readonly string[] = [],
): void {
  const said = methodOf(config);
  const advice = "is not read: take the checkpoint it was made from, or save it dequantized";
  if (said !== undefined) {
    throw badFile(plugin, `${label}/config.json`, `says that the weights are quantized by ${said}, which ${advice}`);
  }
  for (const [method, pattern] of marks) {
    const found = names.find((name) => pattern.test(name));
    if (found !== undefined) throw badFile(plugin, label, `has tensor ${show(found)} of ${method}, which ${advice}`);
  }
}

function methodOf(config: Named<Json> | undefined): string | undefined {
  // MLX writes `quantization`, and none of the others does.
  const field = ["quantization_config", "compression_config", "quantization"].find((name) =>
    typeof config?.[name] === "object" && config[name] !== null
  );
  if (field === undefined) return undefined;
  const given = config?.[field] as Named<Json>;
  const { quant_method: method } = given;
  if (typeof method === "string") {
    const bits = method === "bitsandbytes" ? bitsOf(given) : typeof given.bits === "number" ? given.bits : undefined;
    return bits === undefined ? method : `${method} (${bits} bits)`;
  }
  if (field === "quantization") return "mlx";
  if (field === "compression_config") return "compressed-tensors";
  // Older configs of bitsandbytes do not name it.
  return "load_in_8bit" in given || "load_in_4bit" in given
    ? `bitsandbytes (${bitsOf(given) ?? 8} bits)`
    : `a method that quantization_config does not name (${show(given)})`;
}

function bitsOf({ load_in_4bit: four, load_in_8bit: eight }: Named<Json>): number | undefined {
  return four === true ? 4 : eight === true ? 8 : undefined;
}
