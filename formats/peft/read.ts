/** Readers of adapters that PEFT saved. Their code is only loaded when there is an adapter to read. */
import type { AdapterReader } from "../adapter_reader.ts";
import type { PeftType } from "./peft_type.ts";

/**
 * Returns a reader of one type of PEFT's adapters. It throws AttuneError if a file is missing, broken, or of another
 * type.
 */
export function readPeft<O>(type: PeftType<O>): AdapterReader<O> {
  return {
    name: type.name,
    read: async (path, host) => await (await import("./read_adapter.ts")).readAdapter(type, path, host),
  };
}
