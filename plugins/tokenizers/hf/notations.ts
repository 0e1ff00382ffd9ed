/** Notations within tokenizer.json that only some have: what reads them is large, and loaded where there are such. */
import type { Aligned } from "./text/aligned.ts";
import type { RegexReader } from "./text/patterns.ts";

/** What reads the notations of a tokenizer.json; absent is what it does not have. */
export type Notations = Readonly<
  { readRegex?: RegexReader; charsmap?: (base64: string) => (text: Aligned) => Aligned }
>;

/** What reads the notations of some parts of a tokenizer.json. */
export async function notationsIn(...parts: readonly unknown[]): Promise<Notations> {
  const text = JSON.stringify(parts);
  // What is byte-level is cut by one.
  const { readRegex } = /"(?:Regex|ByteLevel)"/.test(text) ? await import("./text/regex.ts") : {};
  const { charsmap } = text.includes('"Precompiled"') ? await import("./charsmap.ts") : {};
  return { ...(readRegex && { readRegex }), ...(charsmap && { charsmap }) };
}
