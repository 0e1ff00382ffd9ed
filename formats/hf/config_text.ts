/** Serialization of a model's config.json. */
import type { Json } from "../../core/types.ts";

/** Serializes a config. transformers rejects 1 where it expects 1.0, so floats in the `source` file stay floats. */
export function configText(config: Json, source?: Uint8Array): string {
  const before = source === undefined ? "" : new TextDecoder().decode(source);
  const floats = new Set([...before.matchAll(/"([^"\\]+)"\s*:\s*-?\d+(?:\.\d|[eE])/g)].map(([, key]) => key));
  const text = JSON.stringify(config, null, 2);
  return text.replaceAll(/"([^"\\]+)": -?\d+(?=[,\n])/g, (pair, key) => (floats.has(key) ? `${pair}.0` : pair)) + "\n";
}
