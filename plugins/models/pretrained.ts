/**
 * Pretrained checkpoints: a directory, or a repository of the Hugging Face hub.
 * @module
 */
import * as v from "valibot";
import { role } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import type { Factory, Json, Named } from "../../core/types.ts";
import { modelFiles } from "./model_files.ts";
import { openModel } from "./open_model.ts";

/** Options of {@link pretrained}. */
export interface PretrainedOptions {
  /**
   * A directory, `org/name` with an optional `@revision` on the hub, a `.gguf` file (of a directory, or `org/name/file.gguf`
   * of the hub), or `attune:base`.
   */
  readonly path: string;
  /** Replaces fields of the checkpoint's config.json, in its own snake_case. */
  readonly config: Named<Json>;
  /** Whether tensors of other dims than the model's, as a head of other classes, start anew instead of being an error. */
  readonly ignoreMismatchedSizes: boolean;
}

type Input = Readonly<{ path: string; config?: Named<Json>; ignoreMismatchedSizes?: boolean }>;

/** Schema of {@link PretrainedOptions}. */
export const pretrainedSchema: v.GenericSchema<Input, PretrainedOptions> = v.strictObject({
  path: role(v.pipe(v.string(), v.minLength(1)), { role: "path", hub: true }),
  config: v.optional(v.record(v.string(), v.unknown()), {}),
  ignoreMismatchedSizes: v.optional(v.boolean(), false),
}) as v.GenericSchema<Input, PretrainedOptions>;

/**
 * Config, tokenizer and weights as Hugging Face saves them; weights stay in their files and are mapped. A `.gguf` file is
 * one, too, and so is a folder whose only weights are one: what it has packed is decoded to float32 where it is read.
 *
 * @throws AttuneError from `open` where there is no such directory or repository, or its files are not sound.
 * @example
 * ```ts
 * import { pretrained } from "attune/models/pretrained";
 * console.assert(pretrained({ path: "sentence-transformers/all-MiniLM-L6-v2" }).kind === "model");
 * ```
 */
export const pretrained: Factory<"model", Input> = define({
  kind: "model",
  name: "pretrained",
  schema: pretrainedSchema,
  create: ({ path, config, ignoreMismatchedSizes }) => ({
    open: async (host) => {
      const { files, gguf } = await modelFiles("pretrained", path, host, true);
      const label = host.displayNames?.[path] ?? path;
      return { ...await openModel("pretrained", files, label, { config, gguf }), ignoreMismatchedSizes };
    },
  }),
});
