/** What a GGUF file says of its architecture, read by name and checked. */
import { badValue, missing, show } from "../../../../core/base/errors.ts";
import type { GgufFile } from "../../../../core/gguf/file.ts";
import type { Json } from "../../../../core/types.ts";

/** Fields of a file's architecture, without its name in front. */
export interface GgufFields {
  /** A number; throws AttuneError where it is missing and has no fallback, or differs by layer. */
  number(name: string, fallback?: number): number;
  optional(name: string): number | undefined;
  text(name: string): string | undefined;
  has(tensor: string): boolean;
  /** Rows of a tensor, where it is there. */
  rows(tensor: string): number | undefined;
  /** A tensor's values, where it is there. */
  values(tensor: string): Promise<number[] | undefined>;
  /** How a field is named in messages. */
  at(name: string): string;
  /** A field as it is. */
  field(name: string): Json | undefined;
}

/** The fields of a file. */
export function ggufFields(file: GgufFile, architecture: string): GgufFields {
  const { metadata, tensors } = file;
  const at = (name: string): string => `${architecture}.${name}`;
  const field = (name: string): Json | undefined => metadata[at(name)];
  const optional = (name: string): number | undefined => {
    const given = field(name);
    // Some files name a number for each layer.
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
