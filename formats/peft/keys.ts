/** Keys of adapters' files, without what compilers, parallel training and PEFT's own state dict put between. */
import { badFile, show } from "../../core/base/errors.ts";

/** Parts of a key that say how a module was wrapped, or which adapter of a PEFT model it is. */
const between: ReadonlySet<string> = new Set([
  "_orig_mod",
  "_fsdp_wrapped_module",
  "_checkpoint_wrapped_module",
  "modules_to_save",
  "default",
]);

/** A key as PEFT's `save_pretrained` writes it: `...lora_A.default.weight` and `..._orig_mod...lora_A.weight` are one. */
export function plainKey(key: string): string {
  const parts = key.split(".").filter((part) => !between.has(part));
  return parts.join(".").replace(/\.lora_magnitude_vector\.weight$/, ".lora_magnitude_vector")
    .replace(".token_adapter.base_layer.", ".");
}

/**
 * The keys of a file by what they mean. Behind a resize PEFT writes a module that trains whole three times: as itself, as
 * the copy that it is (`modules_to_save`), and as what it was (`original_module`), which nothing computes with.
 *
 * @throws AttuneError if two keys mean one tensor otherwise.
 */
export function adapterKeys(plugin: string, file: string, names: readonly string[]): ReadonlyMap<string, string> {
  const keys = new Map<string, string>();
  const isCopy = (key: string): boolean => key.includes(".modules_to_save.");
  for (const key of names) {
    if (key.includes(".original_module.")) continue;
    const plain = plainKey(key);
    const other = keys.get(plain);
    if (other !== undefined && isCopy(key) === isCopy(other)) {
      throw badFile(plugin, file, `has ${show(other)} and ${show(key)}, which mean the same tensor`);
    }
    if (other === undefined || isCopy(other)) keys.set(plain, key);
  }
  return keys;
}
