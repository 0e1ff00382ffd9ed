/** The normalizers of tokenizer.json, over texts that keep track of original positions. */
import { unsupported } from "../../../core/base/errors.ts";
import {
  type Aligned,
  type Change,
  keepCodes,
  mapChars,
  prependText,
  replaced,
  sliceAligned,
  transformText,
} from "./text/aligned.ts";
import type { Notations } from "./notations.ts";
import { patternOf } from "./text/patterns.ts";
import { isControl, isMark, isNonspacing, isWhitespace, lowercased } from "./text/unicode.ts";
import { normalForm } from "./text/unicode_forms.ts";

/** A step of normalization. */
export type Normalizer = (text: Aligned) => Aligned;

/** A part of tokenizer.json. */
export type Definition = Readonly<Record<string, unknown>> & { readonly type?: string };

const ideographs =
  /[\u4E00-\u9FFF\u3400-\u4DBF\u{20000}-\u{2A6DF}\u{2A700}-\u{2B73F}\u{2B740}-\u{2B81F}\u{2B920}-\u{2CEAF}\uF900-\uFAFF\u{2F800}-\u{2FA1F}]/u;
const ascii = /^[\0-\x7f]*$/;

/** Returns the normalizer of a definition. Throws AttuneError for an unknown type. */
export function normalizerOf(definition: Definition | null | undefined, notations: Notations = {}): Normalizer {
  if (!definition) return (text) => text;
  switch (definition.type) {
    case "Sequence": {
      const steps = (definition.normalizers as readonly Definition[]).map((step) => normalizerOf(step, notations));
      return (text) => steps.reduce((changed, step) => step(changed), text);
    }
    case "NFC":
    case "NFD":
    case "NFKC":
    case "NFKD": {
      const { type } = definition;
      return (text) => normalForm(text, type);
    }
    case "Lowercase":
      return lowercase;
    case "StripAccents":
      return (text) => (ascii.test(text.text) ? text : keepCodes(text, (code) => !isMark(code)));
    case "Strip":
      return stripped(definition.strip_left === true, definition.strip_right === true);
    case "Prepend": {
      const prefix = String(definition.prepend);
      return (text) => prependText(text, prefix);
    }
    case "Replace": {
      const matches = patternOf(definition.pattern, notations.readRegex);
      const content = String(definition.content);
      return (text) => replaced(text, matches(text.text), content);
    }
    case "Precompiled": {
      const { charsmap } = notations;
      if (!charsmap) throw unsupported("hf", "normalizer.type", definition.type, "nothing that reads its map is given");
      return charsmap(String(definition.precompiled_charsmap ?? ""));
    }
    case "BertNormalizer":
      return bertNormalizer(definition);
    case "Nmt":
      return (text) => mapChars(keepCodes(text, (c) => !nmtRemoved(c)), (c) => (nmtBlank.test(c) ? " " : c));
    case "ByteLevel":
      return bytesOf;
    default:
      throw unsupported("hf", "normalizer.type", definition.type, "the type is unknown");
  }
}

const nmtRemoved = (code: number): boolean =>
  code >= 1 && code <= 8 || code === 11 || code >= 14 && code <= 31 || code === 127 || code === 0x8f || code === 0x9f;
const nmtBlank = /[\t\n\f\r\u1680\u200B-\u200F\u2028\u2029\u2581\uFEFF\uFFFD]/;

/** Lower-cases character by character: a final sigma is not special. */
function lowercase(text: Aligned): Aligned {
  return ascii.test(text.text) ? { ...text, text: text.text.toLowerCase() } : mapChars(text, lowercased);
}

function stripped(left: boolean, right: boolean): Normalizer {
  return (a) => {
    // Each blank is a single UTF-16 unit.
    let [start, end] = [0, a.text.length];
    while (left && start < end && isWhitespace(a.text.charCodeAt(start))) start++;
    while (right && end > start && isWhitespace(a.text.charCodeAt(end - 1))) end--;
    return sliceAligned(a, start, end);
  };
}

function bertNormalizer(definition: Definition): Normalizer {
  const { clean_text: cleans, handle_chinese_chars: spaces, strip_accents: strips, lowercase: lowers } = definition;
  const removesAccents = strips === true || (strips === null || strips === undefined) && lowers === true;
  return (text) => {
    // Printable ASCII only needs lower-casing.
    if (/^[ -~]*$/.test(text.text)) return lowers ? lowercase(text) : text;
    let spaced = text;
    if (cleans) {
      spaced = mapChars(
        keepCodes(spaced, (code) => !isControl(code)),
        (c) => (isWhitespace(c.codePointAt(0) ?? 0) ? " " : c),
      );
    }
    if (spaces && ideographs.test(spaced.text)) {
      const changes: Change[] = [];
      for (const char of spaced.text) {
        if (ideographs.test(char)) changes.push([" ", 0], [char, 1], [" ", 1]);
        else changes.push([char, 0]);
      }
      spaced = transformText(spaced, changes);
    }
    if (removesAccents) spaced = keepCodes(normalForm(spaced, "NFD"), (code) => !isNonspacing(code));
    return lowers ? lowercase(spaced) : spaced;
  };
}

const encoder = new TextEncoder();

/** GPT-2's printable characters for bytes. */
export const byteChars: readonly string[] = ((): string[] => {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    return String.fromCodePoint(printable ? byte : next++);
  });
})();

const bytesOfChar = (char: string): string => {
  if (char < "\x80") return byteChars[char.charCodeAt(0)] ?? "";
  let text = "";
  for (const byte of encoder.encode(char)) text += byteChars[byte];
  return text;
};

/** Replaces every character by GPT-2's characters for its bytes. */
export function bytesOf(text: Aligned): Aligned {
  return /^[!-~]*$/.test(text.text) ? text : mapChars(text, bytesOfChar);
}
