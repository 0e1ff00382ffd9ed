/**
 * A model from scratch: a config and a tokenizer, weights drawn by `initializer_range`.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/define.ts";
import { missing } from "../../core/errors.ts";
import type { Factory, Json, Named } from "../../core/types.ts";
import { checkpointOf, noWeights } from "./checkpoint.ts";

/** Options of {@link random}. */
export interface RandomOptions {
  /** A directory with config.json and tokenizer files; weights in it are not read. */
  readonly path: string;
  /** Replaces fields of config.json. */
  readonly config: Named<Json>;
}

type Input = Readonly<{ path: string; config?: Named<Json> }>;

/** Schema of {@link RandomOptions}. */
export const randomSchema: v.GenericSchema<Input, RandomOptions> = v.strictObject({
  path: v.string(),
  config: v.optional(v.record(v.string(), v.unknown()), {}),
}) as v.GenericSchema<Input, RandomOptions>;

/**
 * The model of a config with random weights: matrices normal with `initializer_range`, biases 0, norms 1.
 *
 * @throws AttuneError from `open` where config.json is missing.
 * @example
 * ```ts
 * import { random } from "attune/sources/random";
 * console.assert(random({ path: "./config" }).name === "random");
 * ```
 */
export const random: Factory<"source", Input> = define({
  kind: "source",
  name: "random",
  schema: randomSchema,
  create: ({ path, config }) => ({
    open: async (host) => {
      if (!host.directory) throw missing("random", "access to files", host.runtime);
      return checkpointOf("random", host.directory(host.resolve?.(path) ?? path), path, config, noWeights);
    },
  }),
});
