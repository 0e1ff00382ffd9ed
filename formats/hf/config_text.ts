/** A model's config.json, written. */
import type { Json } from "../../core/types.ts";

/** A config as JSON. transformers refuses 1 where it wants 1.0: numbers with a point in the file it was read from keep one. */
export function configText(config: Json, source?: Uint8Array): string {
  const before = source === undefined ? "" : new TextDecoder().decode(source);
  const floats = new Set([...before.matchAll(/"([^"\\]+)"\s*:\s*-?\d+(?:\.\d|[eE])/g)].map(([, key]) => key));
  const text = JSON.stringify(config, null, 2);
  return text.replaceAll(/"([^"\\]+)": -?\d+(?=[,\n])/g, (pair, key) => (floats.has(key) ? `${pair}.0` : pair)) + "\n";
}
