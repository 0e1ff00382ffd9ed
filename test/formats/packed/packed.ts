/** The tiny model with some of its linear layers as libraries pack them (test/fixtures/quantized.json). */
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { viewOf, writeSafetensors } from "../../../core/files/safetensors.ts";
import type { DType, Json, Named, Tensor } from "../../../core/types.ts";
import { tinyConfig, tinyFiles, tinyWeights } from "../../tiny.ts";
import { jsonBytes } from "../../../core/base/bytes.ts";

/** Packers want whole words of 32 codes. */
const wideConfig: Named<Json> = { ...tinyConfig, hidden_size: 32, intermediate_size: 64 };

/** A layer: its tensors by the ends of their names, and the digest of its values. */
export type PackedLayer = Readonly<{
  tensors: Named<Readonly<{ dtype: DType; dims: readonly number[]; data: string }>>;
  dims: readonly number[];
  sha256: string;
  first: readonly number[];
}>;

/** Layers that one library packed, and what config.json says of it. */
export type PackedLayers = Readonly<{ config: Named<Json>; layers: Named<PackedLayer> }>;

/** All of them, by what they are. */
export const packedFigures: Named<PackedLayers> = JSON.parse(
  readFileSync(fileURLToPath(new URL("../../fixtures/quantized.json", import.meta.url)), "utf8"),
);

/** The packed tensors of some layers, by their whole names. */
export function packedTensors({ layers }: PackedLayers, only: (module: string) => boolean = () => true): Named<Tensor> {
  const tensors: Record<string, Tensor> = {};
  for (const [module, layer] of Object.entries(layers)) {
    if (!only(module)) continue;
    for (const [part, { dtype, dims, data }] of Object.entries(layer.tensors)) {
      tensors[module + part] = { dtype, dims, data: viewOf(dtype, new Uint8Array(Buffer.from(data, "base64"))) };
    }
  }
  return tensors;
}

/** The tiny model's files with those of the layers that it has packed, and changes to its tensors; null: without it. */
export function packedFiles(packed: PackedLayers, changes: Named<Tensor | null> = {}): Named<Uint8Array> {
  const plain = tinyWeights(wideConfig);
  const fits = (module: string): boolean =>
    plain[`${module}.weight`]?.dims.join() === packed.layers[module]?.dims.join();
  const tensors: Record<string, Tensor> = { ...plain };
  for (const module of Object.keys(packed.layers)) if (fits(module)) delete tensors[`${module}.weight`];
  Object.assign(tensors, packedTensors(packed, fits));
  for (const [name, tensor] of Object.entries(changes)) {
    if (tensor) tensors[name] = tensor;
    else delete tensors[name];
  }
  const config = { ...wideConfig, quantization_config: packed.config };
  return {
    ...tinyFiles(),
    "config.json": jsonBytes(config),
    "model.safetensors": writeSafetensors(tensors),
  };
}
