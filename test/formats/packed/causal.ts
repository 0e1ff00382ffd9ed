/** A llama whose linear layers are as libraries pack them, and the same with their decoded values. */
import { Buffer } from "node:buffer";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeSafetensors } from "../../../core/files/safetensors.ts";
import type { Host, Json, Named, Tensor } from "../../../core/types.ts";
import { pretrained } from "../../../plugins/models/pretrained.ts";
import { type PackedLayers, packedTensors } from "./packed.ts";

const figures: Readonly<{ models: readonly Readonly<{ name: string; file: string }>[] }> = JSON.parse(
  readFileSync(fileURLToPath(new URL("../../fixtures/gguf.json", import.meta.url)), "utf8"),
);

/** Which of the packed layers of a BERT has the size of which of the llama's. */
const layers: Named<string> = {
  "self_attn.q_proj": "attention.self.query",
  "self_attn.o_proj": "attention.self.query",
  "mlp.gate_proj": "intermediate.dense",
  "mlp.up_proj": "intermediate.dense",
  "mlp.down_proj": "output.dense",
};

/** Writes files into a folder, which is made. */
export function writeFolder(folder: string, files: Named<Uint8Array | string>): string {
  mkdirSync(folder, { recursive: true });
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
  return folder;
}

/** A folder with the llama as a GGUF file, of Q4_0, Q8_0 and others. */
export function ggufFolder(folder: string): string {
  return writeFolder(folder, { "model.gguf": Buffer.from(figures.models[0]?.file ?? "", "base64") });
}

/** A folder whose model is that of another, as what its layers are packed as. */
export async function packedFolder(folder: string, from: string, packed: PackedLayers, host: Host): Promise<string> {
  const all = packedTensors(packed);
  return await rewritten(folder, from, host, { quantization_config: packed.config }, (tensors) => {
    for (const [to, of] of Object.entries(layers)) {
      const [module, path] = [`bert.encoder.layer.0.${of}`, `model.layers.0.${to}`];
      delete tensors[`${path}.weight`];
      for (const [name, tensor] of Object.entries(all)) {
        if (name.startsWith(`${module}.`)) tensors[path + name.slice(module.length)] = tensor;
      }
    }
  });
}

/** A folder whose model has the decoded values of another. */
export async function decodedFolder(folder: string, from: string, host: Host): Promise<string> {
  return await rewritten(folder, from, host);
}

async function rewritten(
  folder: string,
  from: string,
  host: Host,
  change: Named<Json> = {},
  edit: (tensors: Record<string, Tensor>) => void = () => {},
): Promise<string> {
  const { weights, config, files } = await pretrained({ path: from }).open(host);
  const tensors: Record<string, Tensor> = {};
  for (const name of weights.names) tensors[name] = await weights.read(name);
  edit(tensors);
  const { quantization_config: _, ...rest } = config as Named<Json>;
  const texts: Record<string, Uint8Array> = {};
  for (const name of ["tokenizer.json", "tokenizer_config.json", "generation_config.json"]) {
    const file = await files.get(name);
    if (file) texts[name] = file.bytes;
  }
  return writeFolder(folder, {
    ...texts,
    "config.json": JSON.stringify({ ...rest, ...change }),
    "model.safetensors": writeSafetensors(tensors),
  });
}
