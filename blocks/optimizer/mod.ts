/**
 * What optimizers are made of: options that all have, their decay, groups of parameters.
 * @module
 */
export * from "./common.ts";
