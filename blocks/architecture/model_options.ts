/**
 * Models have no options.
 * @module
 */
import * as v from "valibot";

/** No options: everything is in the checkpoint's config. */
export type ModelOptions = Readonly<Record<never, never>>;

/** Schema of {@link ModelOptions}. */
export const modelSchema: v.GenericSchema<ModelOptions, ModelOptions> = v.strictObject({});
