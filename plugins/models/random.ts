/**
 * A new model: a config and a tokenizer, with random weights.
 * @module
 */
import * as v from "valibot";
import { role } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import { badValue } from "../../core/base/errors.ts";
import type { Factory, Json, Named } from "../../core/types.ts";
import { checkpointOf, modelFiles, noFiles, noWeights, readConfig } from "../../blocks/model/mod.ts";

/** Options of {@link random}. */
export interface RandomOptions {
  /**
   * A folder or hub name with config.json and tokenizer files; its weights are neither read nor downloaded. Null:
   * `config` has everything.
   */
  readonly path: string | null;
  /** Fields that replace those of config.json, in its snake_case; without `path`, the whole config. */
  readonly config: Named<Json>;
  /** A folder or hub name with the tokenizer to use; null: that of `path`. */
  readonly tokenizer: string | null;
}

type Input = Readonly<{ path?: string | null; config?: Named<Json>; tokenizer?: string | null }>;

const place = role(v.optional(v.nullable(v.pipe(v.string(), v.minLength(1))), null), { role: "path", hub: true });

/**
 * A model with random weights from a config: normal matrices with `initializer_range`, biases 0, norms 1.
 *
 * @throws AttuneError from `open` if there is no config.
 * @example
 * ```ts
 * import { random } from "attune/models/random";
 * console.assert(random({ config: { model_type: "bert" }, tokenizer: "./tokenizer" }).name === "random");
 * ```
 */
export const random: Factory<"model", Input> = define({
  kind: "model",
  name: "random",
  schema: v.strictObject({
    path: place,
    config: v.optional(v.record(v.string(), v.unknown()), {}),
    tokenizer: place,
  }) as v.GenericSchema<Input, RandomOptions>,
  create: ({ path, config, tokenizer }: RandomOptions) => ({
    open: async (host) => {
      const label = path === null ? undefined : host.displayNames?.[path] ?? path;
      const at = path === null ? undefined : (await modelFiles("random", path, host, false)).files;
      const whole = at && path !== null ? { ...await readConfig("random", at, path), ...config } : config;
      if (typeof whole.model_type !== "string") {
        throw badValue(
          "random",
          "config.model_type",
          whole.model_type,
          'a type of model such as "bert", because there is no path',
        );
      }
      const files = tokenizer === null ? at ?? noFiles : (await modelFiles("random", tokenizer, host, false)).files;
      return checkpointOf({ config: whole, files, weights: noWeights, label: label ?? `random ${whole.model_type}` });
    },
  }),
});
