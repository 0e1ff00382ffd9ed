/** Packs a distilled student as the files of `attune:base`: matrices as 8-bit integers, everything else unchanged. */
import { writeDigested } from "../../core/files/finite_weights.ts";
import { quantizeInt8, scaleName } from "../../core/files/int8.ts";
import { openWeights } from "../../core/files/safetensors.ts";
import type { Tensor } from "../../core/base/tensor.ts";
import type { Json, Named, Store } from "../../core/types.ts";

/** Writes the files, and returns their total bytes. */
export async function pack(from: Store, to: Store, card: string): Promise<number> {
  const weights = await openWeights(from);
  const tensors: Record<string, Tensor> = {};
  for (const name of [...weights.names].sort()) {
    const tensor = await weights.read(name);
    if (tensor.dims.length === 2) {
      const { values, scale } = quantizeInt8(tensor);
      tensors[name] = values;
      tensors[scaleName(name)] = scale;
    } else tensors[name] = tensor;
  }
  const json = async (name: string): Promise<Named<Json>> => {
    const file = await from.get(name);
    return JSON.parse(new TextDecoder().decode(file?.bytes)) as Named<Json>;
  };
  const config: Named<Json> = {
    ...await json("config.json"),
    architectures: ["BertModel"],
    hidden_dropout_prob: 0.1,
    attention_probs_dropout_prob: 0.1,
  };
  const text = (value: Json): Uint8Array => new TextEncoder().encode(JSON.stringify(value) + "\n");
  const files: Named<Uint8Array> = {
    "config.json": text(config),
    "tokenizer.json": text(await json("tokenizer.json")),
    "tokenizer_config.json": text(await json("tokenizer_config.json")),
    "model.safetensors": await writeDigested(tensors, { format: "pt" }),
    "README.md": new TextEncoder().encode(card),
  };
  let bytes = 0;
  for (const [name, content] of Object.entries(files)) {
    await to.put(name, content);
    bytes += content.length;
  }
  return bytes;
}
