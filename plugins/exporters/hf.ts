/**
 * Exports models in the format of Hugging Face's `save_pretrained`.
 * @module
 */
import * as v from "valibot";
import { carriedFiles } from "../../formats/hf/carried_files.ts";
import { define } from "../../core/spec/define.ts";
import { configText } from "../../formats/hf/config_text.ts";
import { mergedTensors } from "../../core/run/open/fold.ts";
import { untiedConfig } from "../../core/run/open/ties.ts";
import { streamSafetensors } from "../../core/files/safetensors.ts";
import type { Factory, Json } from "../../core/types.ts";
import { classNameOf } from "../../formats/hf/class_names.ts";
import { isDense, writeSentenceFiles } from "../../blocks/exporter/mod.ts";

/** Options of {@link hf}. */
export interface HfOptions {
  /** Whether to fold adapters into the weights. */
  readonly merge: boolean;
}

/** Schema of {@link HfOptions}. */
export const hfSchema: v.GenericSchema<Partial<HfOptions>, HfOptions> = v.strictObject({
  merge: v.optional(v.boolean(), true),
});

/**
 * A model directory: config.json, model.safetensors (adapters merged), tokenizer files, README.md.
 *
 * @throws AttuneError from `write` if an adapter cannot be merged.
 * @example
 * ```ts
 * import { hf } from "attune/exporters/hf";
 * console.assert(hf().name === "hf");
 * ```
 */
export const hf: Factory<"exporter", Partial<HfOptions>> = define({
  kind: "exporter",
  name: "hf",
  schema: hfSchema,
  create: ({ merge }) => ({
    leaves: () => "model",
    write: async (trained, to) => {
      const { forms, read, untied } = await mergedTensors(merge ? trained : { ...trained, attached: [] });
      const name = classNameOf(trained.backbone, trained.task);
      const config: Json = {
        ...trained.base.config,
        ...(untied ? untiedConfig(trained.backbone) : {}),
        ...trained.task.config,
        architectures: name === undefined ? trained.base.config.architectures ?? [] : [name],
      };
      const encoder = new TextEncoder();
      const own = Object.fromEntries(Object.entries(forms).filter(([name]) => !isDense(trained, name)));
      await to.put("model.safetensors", streamSafetensors(own, read));
      const source = await trained.base.files.get("config.json");
      await to.put("config.json", encoder.encode(configText(config, source?.bytes)));
      await to.put("README.md", encoder.encode(trained.modelCard ?? trained.card));
      const written = ["config.json", "model.safetensors", "README.md"];
      for (const name of carriedFiles) {
        const file = await trained.base.files.get(name);
        if (!file) continue;
        await to.put(name, file.bytes);
        written.push(name);
      }
      return [...written, ...await writeSentenceFiles(trained, to)];
    },
  }),
});
