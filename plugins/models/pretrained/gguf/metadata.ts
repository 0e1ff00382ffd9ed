/** Access to a GGUF file's metadata about its architecture, by name and with checks. */
import { badValue, missing, show } from "../../../../core/base/errors.ts";
import type { GgufFile } from "../../../../core/gguf/file.ts";
import type { Json } from "../../../../core/types.ts";

/** Metadata fields of a file's architecture, without the prefix of its name. */
export interface GgufFields {
  /** Returns a number; throws AttuneError if it is missing without a fallback, or differs by layer. */
  number(name: string, fallback?: number): number;
  optional(name: string): number | undefined;
  text(name: string): string | undefined;
  has(tensor: string): boolean;
  /** Returns the number of a tensor's rows, if it exists. */
  rows(tensor: string): number | undefined;
  /** Returns a tensor's values, if it exists. */
  values(tensor: string): Promise<number[] | undefined>;
  /** Returns the name of a field for messages. */
  at(name: string): string;
  /** Returns a field unchecked. */
  field(name: string): Json | undefined;
}

/** Returns access to the fields of a file. */
export function ggufFields(file: GgufFile, architecture: string): GgufFields {
  const { metadata, tensors } = file;
  const at = (name: string): string => `${architecture}.${name}`;
  const field = (name: string): Json | undefined => metadata[at(name)];
  const optional = (name: string): number | undefined => {
    const given = field(name);
    // Some files have a number for each layer.
    const value = Array.isArray(given) && given.every((other) => other === given[0]) ? given[0] : given;
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isFinite(value)) return value;
    throw badValue("pretrained", at(name), show(given), "a number, the same for each layer");
  };
  return {
    at,
    field,
    optional,
    number: (name, fallback) => {
      const value = optional(name) ?? fallback;
      if (value === undefined) throw missing("pretrained", at(name), "the GGUF file");
      return value;
    },
    text: (name) => {
      const value = field(name);
      return typeof value === "string" ? value : undefined;
    },
    has: (tensor) => tensors.has(tensor),
    rows: (tensor) => tensors.get(tensor)?.dims[0],
    values: async (tensor) => tensors.has(tensor) ? Array.from((await file.read(tensor)).data) : undefined,
  };
}
