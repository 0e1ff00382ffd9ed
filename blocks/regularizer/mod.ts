/**
 * What regularizers are made of: the values that parameters start from, and means over rows.
 * @module
 */
export * from "./mean_of.ts";
export * from "./saved_values.ts";
