/** Types of PEFT's adapters, and the plugin for each. */
import { badValue } from "../../core/base/errors.ts";
import type { Json, Named, Schema } from "../../core/types.ts";
import { adapterFiles } from "./files.ts";

/** A type of adapter that a plugin reads. */
export type PeftType<O> = Readonly<{
  /** The plugin's name. */
  name: string;
  /** Value of `peft_type` in the config. */
  type: string;
  /** Prefix of the model's names in the file. */
  prefix: "base_model.model." | "base_model.";
  schema: Schema<unknown, O>;
  /** Names of the options. */
  names: readonly string[];
  /** Fields of the config that do not affect the computation, whatever their value. */
  ignoredFields?: readonly string[];
  /** Replacements for values that only describe how training began, by field and value. */
  initialValues?: Named<Named<Json>>;
  /**
   * For types whose plain files can be read despite unknown fields: a pattern of such files' keys, and fields that are
   * known but not implemented.
   */
  plainFile?: Readonly<{ keys: RegExp; unbuilt: readonly string[] }>;
}>;

/** The plugin for each of PEFT's types. */
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

/** Returns the name of the plugin for a saved config. Throws AttuneError if there is none. */
export function pluginOf({ peft_type: type, use_dora: dora }: Named<Json>): string {
  const use = typeof type === "string" && Object.hasOwn(plugins, type) ? plugins[type] : undefined;
  // In PEFT, DoRA is a flag of LoRA.
  if (use === "lora" && dora === true) return "dora";
  if (use !== undefined) return use;
  throw badValue("saved", `${adapterFiles.config}: peft_type`, type, `one of ${Object.keys(plugins).join(", ")}`);
}
