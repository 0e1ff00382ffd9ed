/** How the layers of a decoder differ: in the range of their attention, and in their rotary embeddings. */
import { badValue, unsupported } from "../../core/base/errors.ts";
import type { ConfigReader } from "./config.ts";

/** `window`: how many tokens a layer sees; absent: all earlier ones. `rotary`: name of its embedding; null: none. */
export type LayerKind = Readonly<{ window?: number; rotary?: string | null }>;

/** Returns layers of the same kind. */
export function everyLayer(count: number, kind: LayerKind): readonly LayerKind[] {
  return Array.from({ length: count }, () => kind);
}

/** Returns the config's `sliding_window`; undefined if it is null, or absent without a fallback. */
export function windowOf(c: ConfigReader, fallback?: number): number | undefined {
  const window = c.value("sliding_window") ?? (c.value("sliding_window") === null ? null : fallback);
  return window === null || window === undefined ? undefined : c.count("sliding_window", fallback);
}

/** Returns whether each layer has a sliding window, by the config's `layer_types` or else the family's rule. */
export function slidingLayers(
  plugin: string,
  c: ConfigReader,
  count: number,
  slides: (i: number) => boolean,
): readonly boolean[] {
  const layerTypes = c.value("layer_types");
  if (!Array.isArray(layerTypes)) return Array.from({ length: count }, (_, i) => slides(i));
  if (layerTypes.length !== count) throw badValue(plugin, "config.layer_types", layerTypes.length, `${count} layers`);
  const odd = layerTypes.find((type) => type !== "full_attention" && type !== "sliding_attention");
  if (odd !== undefined) {
    throw unsupported(plugin, "config.layer_types", odd, "supported: full_attention, sliding_attention");
  }
  return layerTypes.map((type) => type === "sliding_attention");
}

/** Qwen's layers: a window from layer `max_window_layers` on, or by `layer_types`, if `use_sliding_window` is set. */
export function qwenLayers(plugin: string, c: ConfigReader): (count: number) => readonly LayerKind[] {
  return (count) => {
    const window = c.flag("use_sliding_window", false) ? windowOf(c, 4096) : undefined;
    if (window === undefined) return everyLayer(count, {});
    const from = c.count("max_window_layers", 28, 0);
    return slidingLayers(plugin, c, count, (i) => i >= from).map((slides) => (slides ? { window } : {}));
  };
}
