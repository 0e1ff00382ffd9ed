/** Keys of adapters' files, without the parts that compilers, parallel training and PEFT's own state dict insert. */
import { badFile, show } from "../../core/base/errors.ts";

/** Parts of a key that name a wrapper of the module, or an adapter of a PEFT model. */
const between: ReadonlySet<string> = new Set([
  "_orig_mod",
  "_fsdp_wrapped_module",
  "_checkpoint_wrapped_module",
  "modules_to_save",
  "default",
]);

/** Converts a key to its form in PEFT's files: `..._orig_mod...lora_A.default.weight` becomes `...lora_A.weight`. */
export function plainKey(key: string): string {
  const parts = key.split(".").filter((part) => !between.has(part));
  return parts.join(".").replace(/\.lora_magnitude_vector\.weight$/, ".lora_magnitude_vector")
    .replace(".token_adapter.base_layer.", ".");
}

/**
 * Returns the keys of a file by their plain form. After a resize, PEFT writes a fully trained module three times: as
 * itself, as the trained copy (`modules_to_save`), and as it was before (`original_module`), which is ignored.
 *
 * @throws AttuneError if two other keys mean the same tensor.
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
