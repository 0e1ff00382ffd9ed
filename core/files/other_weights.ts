/** Errors for folders without readable weights: which other files they hold, and how to convert these. */
import { type AttuneError, missing } from "../base/errors.ts";
import type { Store } from "../types.ts";

/** How many files of a folder are listed, and how many of them an error names. */
const [LOOKED_AT, NAMED] = [1000, 20];

const SAVED = "save_pretrained(folder, safe_serialization=True)";
const PICKLE = "is PyTorch's, and not read, since such files can run code. Convert it in Python:";
const OLD = "and not read. Convert it in Python, with transformers 4: AutoModel.from_pretrained(folder,";

/** Other formats of weights by file name, with advice for each; the likeliest comes first. */
const others: readonly (readonly [RegExp, string])[] = [
  [/^adapter_model\.(bin|pt)$/, `${PICKLE} PeftModel.from_pretrained(base, folder).${SAVED}`],
  [
    /(^|\/)(pytorch_model[^/]*\.bin(\.index\.json)?|(consolidated|model)[^/]*\.(pth?|ckpt|bin))$/,
    `${PICKLE} CLASS.from_pretrained(folder).${SAVED}, where CLASS is what config.json names under architectures; for a ` +
    "repository of the hub, https://huggingface.co/spaces/safetensors/convert does that",
  ],
  [/(^|\/)(tf_model[^/]*\.h5(\.index\.json)?|[^/]*\.ckpt\.index)$/, `is TensorFlow's, ${OLD} from_tf=True).${SAVED}`],
  [/(^|\/)flax_model[^/]*\.msgpack(\.index\.json)?$/, `is Flax's, ${OLD} from_flax=True).${SAVED}`],
  [
    /^adapter_model\.safetensors$/,
    "is an adapter's: name its base (base_model_name_or_path in adapter_config.json) as the model, and this folder as " +
    "the adapter's `from`",
  ],
  [/^model\.[\w-]+\.safetensors$/, "is a variant: rename it to model.safetensors to use it"],
  [
    /(^|\/)[\w-]+\.(onnx|tflite|mlmodel)$/,
    "is a graph for inference, which cannot be trained: use the checkpoint that it was made of",
  ],
];

/** File names to look for where files cannot be listed. */
export const likelyOthers: readonly string[] = [
  "adapter_model.bin",
  "pytorch_model.bin",
  "pytorch_model.bin.index.json",
  "tf_model.h5",
  "flax_model.msgpack",
  "onnx/model.onnx",
];

/** Returns advice on weights of another format among a folder's files; "" if there are none. */
export function adviceOn(names: readonly string[]): string {
  for (const [pattern, advice] of others) {
    const name = names.find((own) => pattern.test(own));
    if (name !== undefined) return `: ${name} ${advice}`;
  }
  return "";
}

/** Returns the error for missing weights, with advice on other weights among the folder's files. */
export function missingWeights(key: string, where: string, names: readonly string[]): AttuneError {
  const there = names.slice(0, NAMED).join(", ") || "nothing";
  return missing("safetensors", key, `${where} (it has ${there})`, adviceOn(names));
}

/** Returns the error for weights that are missing from a store. */
export async function missingWeightsIn(store: Store, key: string): Promise<AttuneError> {
  return missingWeights(key, "the folder", await fileNamesIn(store));
}

/** Lists the first files of a store. */
export async function fileNamesIn(store: Store): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { key } of store.list("")) if (names.push(key) >= LOOKED_AT) break;
  return names;
}
