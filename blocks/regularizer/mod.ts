/**
 * Building blocks of regularizers: the initial values of parameters, and means over rows.
 * @module
 */
export * from "./mean_of.ts";
export * from "./saved_values.ts";
