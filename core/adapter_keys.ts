/**
 * Keys of adapters' files, without what compilers, parallel training and PEFT's own state dict put between.
 * @module
 */

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
  return parts.join(".").replace(/\.lora_magnitude_vector\.weight$/, ".lora_magnitude_vector");
}
