/** LoRA and DoRA in PEFT's files, with the config fields that are not options here. */
import type * as v from "valibot";
import type { Adapter, Plugin } from "../../../core/types.ts";
import type { PeftType } from "../../../formats/peft/peft_type.ts";
import { readPeft } from "../../../formats/peft/read.ts";
import { openAndAttach } from "../../../blocks/adapter/mod.ts";
import { attachLora } from "./attach.ts";
import { loraNames, type LoraOptions } from "./options.ts";

/** Fields of a saved config that `lora` and `dora` ignore, and values that they refuse. */
const loraFields: Pick<PeftType<unknown>, "ignoredFields" | "initialValues" | "plainFile"> = {
  // Fields of other layer types, and of how the initial factors were found.
  ignoredFields: [
    "megatron_core",
    "eva_config",
    "corda_config",
    "loftq_config",
    "lora_ga_config",
    "runtime_config",
    "modules_to_tie",
    "target_modules_to_tie",
  ],
  // EVA only initializes A; B is zero, so the base is unchanged.
  initialValues: { init_lora_weights: { eva: true } },
  plainFile: {
    keys:
      /\.lora_(A|B)\.(weight|bias)$|\.lora_embedding_(A|B)$|\.lora_magnitude_vector$|\.trainable_tokens_delta$|^(?!.*\.lora_).*\.(weight|bias)$/,
    unbuilt: [
      "alora_invocation_tokens",
      "arrow_config",
      "kasa_config",
      "layer_replication",
      "megatron_config",
      "monteclora_config",
      "target_parameters",
      "use_bdlora",
      "velora_config",
    ],
  },
};

/** Defines LoRA or DoRA, from options or from a folder written by PEFT. */
export function loraAdapter(
  name: string,
  schema: v.GenericSchema<Partial<LoraOptions>, LoraOptions>,
  options: LoraOptions,
): Omit<Adapter, keyof Plugin> {
  return openAndAttach(
    readPeft({ name, type: "LORA", prefix: "base_model.model.", schema, names: loraNames, ...loraFields }),
    options,
    (o, backbone, context, saved) => attachLora(name, o, backbone, context, saved),
  );
}
