/** Adapters that PEFT saved: what reads them is loaded where there is one. */
import type { AdapterReader } from "../adapter_reader.ts";
import type { PeftType } from "./peft_type.ts";

/** A reader of one type of PEFT's adapters. It throws AttuneError where a file is missing, broken, or of another type. */
export function readPeft<O>(type: PeftType<O>): AdapterReader<O> {
  return {
    name: type.name,
    read: async (path, host) => await (await import("./read_adapter.ts")).readAdapter(type, path, host),
  };
}
