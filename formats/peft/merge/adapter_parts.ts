/** The parts of an adapter's file, by the names of its tensors. */
import { badValue, unsupported } from "../../../core/base/errors.ts";
import type { OpenedAdapter } from "./config.ts";
import { PREFIX, wrappedLayer } from "../wrapped_key.ts";

/** Suffixes of PEFT's tensors of an adapted module. */
const parts: readonly string[] = [
  ".lora_A.weight",
  ".lora_B.weight",
  ".lora_B.bias",
  ".lora_embedding_A",
  ".lora_embedding_B",
  ".lora_magnitude_vector",
  ".ia3_l",
];
/** An adapter's tensors: the keys of each adapted module's update, by suffix, and the keys of fully trained tensors. */
export type AdapterParts = Readonly<{
  modules: ReadonlyMap<string, ReadonlyMap<string, string>>;
  tensors: ReadonlyMap<string, string>;
}>;

/** Sorts an adapter's tensors into parts. Throws AttuneError on a name that is none of them. */
export function partsOf(adapter: OpenedAdapter): AdapterParts {
  const modules = new Map<string, Map<string, string>>();
  const whole = new Map<string, string>();
  for (const key of adapter.names) {
    if (!key.startsWith(PREFIX)) throw badValue("merge", `${adapter.label}: tensor`, key, `a name below ${PREFIX}`);
    const name = key.slice(PREFIX.length).replace(wrappedLayer, ".");
    const part = parts.find((suffix) => name.endsWith(suffix));
    if (part === undefined) {
      if (/\.(lora|ia3|vera|oft|token_adapter|trainable_tokens)[._]/.test(name)) {
        throw unsupported(
          "merge",
          adapter.label,
          key,
          "only LoRA's A and B, DoRA's magnitudes and IA3's vectors can be merged",
        );
      }
      whole.set(name, key);
      continue;
    }
    const path = name.slice(0, -part.length);
    const tensors = modules.get(path) ?? new Map<string, string>();
    tensors.set(part, key);
    modules.set(path, tensors);
  }
  return { modules, tensors: whole };
}
