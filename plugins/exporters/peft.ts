/**
 * Adapters as PEFT saves them.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/define.ts";
import { missing } from "../../core/errors.ts";
import { writeSafetensors } from "../../core/safetensors.ts";
import { VERSION } from "../../core/version.ts";
import type { Factory, Json, Tensor } from "../../core/types.ts";

/** No options. */
export type PeftOptions = Readonly<Record<never, never>>;

/** Schema of {@link PeftOptions}. */
export const peftSchema: v.GenericSchema<PeftOptions, PeftOptions> = v.strictObject({});

/**
 * adapter_config.json, adapter_model.safetensors and README.md, which PEFT's `from_pretrained` loads.
 *
 * @throws AttuneError from `write` where the run has no adapter that PEFT knows.
 * @example
 * ```ts
 * import { peft } from "attune/exporters/peft";
 * console.assert(peft().name === "peft");
 * ```
 */
export const peft: Factory<"exporter", PeftOptions> = define({
  kind: "exporter",
  name: "peft",
  schema: peftSchema,
  create: () => ({
    write: async (trained, to) => {
      const format = trained.attached.map((a) => a.peft).find((p) => p !== undefined);
      if (!format) throw missing("peft", "an adapter that PEFT can load", "the run");
      const tensors: Record<string, Tensor> = {};
      for (const name of trained.trained) {
        const key = format.key(name);
        if (key !== undefined) tensors[key] = await trained.read(name);
      }
      const config: Json = {
        ...format.config,
        base_model_name_or_path: trained.base.label,
        peft_version: `attune ${VERSION}`,
      };
      await to.put("adapter_model.safetensors", writeSafetensors(tensors));
      await to.put("adapter_config.json", new TextEncoder().encode(JSON.stringify(config, null, 2) + "\n"));
      await to.put("README.md", new TextEncoder().encode(trained.card));
      return ["adapter_config.json", "adapter_model.safetensors", "README.md"];
    },
  }),
});
