/**
 * Building blocks of adapters: target modules, saved adapters, bottlenecks, and virtual tokens.
 * @module
 */
export * from "./bottleneck.ts";
export * from "./loadable.ts";
export * from "./prompt_record.ts";
export * from "./prompts.ts";
export * from "./targets.ts";
export * from "./with_product.ts";
