/**
 * Pretrained checkpoints: a directory, or a repository of the Hugging Face hub.
 * @module
 */
import * as v from "valibot";
import { role } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import type { Factory, Json, Named } from "../../core/types.ts";
import { modelFiles } from "../../blocks/model/mod.ts";
import { openModel } from "./pretrained/open_model.ts";

/** Options of {@link pretrained}. */
export interface PretrainedOptions {
  /**
   * A folder, `org/name` on the hub with an optional `@revision`, a `.gguf` file (local, or `org/name/file.gguf` on the
   * hub), or `attune:base`.
   */
  readonly path: string;
  /** Fields that replace those of the checkpoint's config.json, in its snake_case. */
  readonly config: Named<Json>;
  /**
   * Whether tensors with other shapes than the model's, such as a head for other classes, are newly initialized instead
   * of being an error.
   */
  readonly ignoreMismatchedSizes: boolean;
}

type Input = Readonly<{ path: string; config?: Named<Json>; ignoreMismatchedSizes?: boolean }>;

/**
 * A checkpoint as Hugging Face saves it: config, tokenizer and weights, which are mapped from their files. A `.gguf`
 * file is a checkpoint, too, as is a folder that has only such weights; quantized weights are decoded to float32 when
 * read.
 *
 * @throws AttuneError from `open` if there is no such directory or repository, or its files are not sound.
 * @example
 * ```ts
 * import { pretrained } from "attune/models/pretrained";
 * console.assert(pretrained({ path: "sentence-transformers/all-MiniLM-L6-v2" }).kind === "model");
 * ```
 */
export const pretrained: Factory<"model", Input> = define({
  kind: "model",
  name: "pretrained",
  schema: v.strictObject({
    path: role(v.pipe(v.string(), v.minLength(1)), { role: "path", hub: true }),
    config: v.optional(v.record(v.string(), v.unknown()), {}),
    ignoreMismatchedSizes: v.optional(v.boolean(), false),
  }) as v.GenericSchema<Input, PretrainedOptions>,
  create: ({ path, config, ignoreMismatchedSizes }: PretrainedOptions) => ({
    open: async (host) => {
      const { files, gguf } = await modelFiles("pretrained", path, host, true);
      const label = host.displayNames?.[path] ?? path;
      return { ...await openModel("pretrained", files, label, { config, gguf }), ignoreMismatchedSizes };
    },
  }),
});
