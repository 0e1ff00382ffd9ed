/**
 * LoRA's adapter_config.json: what of it is no option here.
 * @module
 */
import type { PeftType } from "../../formats/peft/peft_type.ts";

/** What `lora` and `dora` pass over in a saved config, and what they refuse. */
export const loraFields: Pick<PeftType<unknown>, "harmless" | "begun" | "plain"> = {
  // What only other kinds of layers read, and how the first factors were found.
  harmless: [
    "megatron_core",
    "eva_config",
    "corda_config",
    "loftq_config",
    "lora_ga_config",
    "runtime_config",
    "modules_to_tie",
    "target_modules_to_tie",
  ],
  // EVA leaves A as it found it and B zero: nothing of the base was changed for it.
  begun: { init_lora_weights: { eva: true } },
  plain: {
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
