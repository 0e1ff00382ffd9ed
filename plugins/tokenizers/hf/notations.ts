/** Rare and large parts of tokenizer.json's parser, loaded only if a file needs them. */
import type { Aligned } from "./text/aligned.ts";
import type { RegexReader } from "./text/patterns.ts";

/** Parsers of the notations in a tokenizer.json; absent if it does not use them. */
export type Notations = Readonly<
  { readRegex?: RegexReader; charsmap?: (base64: string) => (text: Aligned) => Aligned }
>;

/** Loads the parsers that some parts of a tokenizer.json need. */
export async function notationsIn(...parts: readonly unknown[]): Promise<Notations> {
  const text = JSON.stringify(parts);
  // Byte-level steps split with a regular expression.
  const { readRegex } = /"(?:Regex|ByteLevel)"/.test(text) ? await import("./text/regex.ts") : {};
  const { charsmap } = text.includes('"Precompiled"') ? await import("./charsmap.ts") : {};
  return { ...(readRegex && { readRegex }), ...(charsmap && { charsmap }) };
}
