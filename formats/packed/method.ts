/** Detection of the library that quantized a checkpoint's weights: by its config, or else by its tensors' names. */
import { badFile, show } from "../../core/base/errors.ts";
import type { Json, Named } from "../../core/types.ts";
import { configFields, tensorPatterns } from "./marks.ts";

/** A library's method. `config`: its settings in config.json; `label`: its name, with the number of bits if known. */
export type QuantizationMethod = Readonly<{ name: string; label: string; config: Named<Json> }>;

/** Methods whose tensors describe their layout completely. */
const selfDescribing: ReadonlySet<string> = new Set(["bitsandbytes", "hqq"]);

/** Returns a checkpoint's method; undefined: its weights are plain. Throws AttuneError if the layout needs a config. */
export function methodOf(
  plugin: string,
  label: string,
  config: Named<Json> | undefined,
  names: readonly string[] = [],
): QuantizationMethod | undefined {
  const said = saidIn(config);
  if (said) return said;
  for (const [name, pattern] of tensorPatterns) {
    const first = names.find((tensor) => pattern.test(tensor));
    if (first === undefined) continue;
    if (selfDescribing.has(name)) return { name, label: name, config: {} };
    throw badFile(
      plugin,
      label,
      `has tensor ${show(first)} of ${name}, and no quantization_config that says how it is packed`,
    );
  }
  return undefined;
}

/**
 * Refuses a model whose weights are stored as a library's codes.
 *
 * @throws AttuneError with the method's name.
 */
export function refuseQuantized(
  plugin: string,
  label: string,
  config: Named<Json> | undefined,
  names: readonly string[] = [],
): void {
  const method = methodOf(plugin, label, config, names);
  if (method) throw unreadMethod(plugin, label, method.label);
}

/** Returns the error for a method that is not supported. */
export function unreadMethod(plugin: string, label: string, method: string): Error {
  const advice = "which is not supported: use the original checkpoint, or save it dequantized";
  return badFile(plugin, `${label}/config.json`, `says that the weights are quantized by ${method}, ${advice}`);
}

function saidIn(config: Named<Json> | undefined): QuantizationMethod | undefined {
  const field = configFields.find((name) => typeof config?.[name] === "object" && config[name] !== null);
  if (field === undefined) return undefined;
  const settings = config?.[field] as Named<Json>;
  const methodNamed = (name: string, bits?: Json): QuantizationMethod => ({
    name,
    label: typeof bits === "number" ? `${name} (${bits} bits)` : name,
    config: settings,
  });
  const { quant_method: method } = settings;
  if (typeof method === "string") {
    return methodNamed(method, method === "bitsandbytes" ? bitsOf(settings) : settings.bits);
  }
  // Only mlx writes this field.
  if (field === "quantization") return methodNamed("mlx");
  if (field === "compression_config") return methodNamed("compressed-tensors");
  // Older configs of bitsandbytes do not name the method.
  if ("load_in_8bit" in settings || "load_in_4bit" in settings) {
    return methodNamed("bitsandbytes", bitsOf(settings) ?? 8);
  }
  return methodNamed(`a method that quantization_config does not name (${show(settings)})`);
}

function bitsOf({ load_in_4bit: four, load_in_8bit: eight }: Named<Json>): number | undefined {
  return four === true ? 4 : eight === true ? 8 : undefined;
}
