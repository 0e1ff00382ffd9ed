/** A type of PEFT's adapters, and the plugin of each. */
import { badValue } from "../../core/base/errors.ts";
import type { Json, Named, Schema } from "../../core/types.ts";
import { adapterFiles } from "./files.ts";

/** A type of adapter that a plugin reads. */
export type PeftType<O> = Readonly<{
  /** The plugin's name. */
  name: string;
  /** peft_type of the config. */
  type: string;
  /** What stands in front of the model's names in the file. */
  prefix: "base_model.model." | "base_model.";
  schema: Schema<unknown, O>;
  /** Names of the options. */
  names: readonly string[];
  /** Fields of the config that say nothing of the mathematics, whatever their value. */
  harmless?: readonly string[];
  /** Values of fields that say only how training began, and what stands for them. */
  begun?: Named<Named<Json>>;
  /** Of a type whose plain file needs no more than what is known here: keys of one, and fields that are known and not built. */
  plain?: Readonly<{ keys: RegExp; unbuilt: readonly string[] }>;
}>;

/** The plugin of each of PEFT's types. */
const plugins: Readonly<Record<string, string>> = {
  LORA: "lora",
  ADALORA: "adalora",
  IA3: "ia3",
  LN_TUNING: "ln-tuning",
  P_TUNING: "p-tuning",
  PREFIX_TUNING: "prefix-tuning",
  PROMPT_TUNING: "prompt-tuning",
  VERA: "vera",
};

/** The plugin that a saved config is of. Throws AttuneError if there is none. */
export function pluginOf({ peft_type: type, use_dora: dora }: Named<Json>): string {
  const use = typeof type === "string" && Object.hasOwn(plugins, type) ? plugins[type] : undefined;
  // PEFT has DoRA as a flag of LoRA.
  if (use === "lora" && dora === true) return "dora";
  if (use !== undefined) return use;
  throw badValue("saved", `${adapterFiles.config}: peft_type`, type, `one of ${Object.keys(plugins).join(", ")}`);
}
