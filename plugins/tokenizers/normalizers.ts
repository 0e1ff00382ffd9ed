/**
 * The normalizers of tokenizer.json, over texts that keep their places.
 * @module
 */
import { unsupported } from "../../core/errors.ts";
import { type Aligned, type Change, filtered, mapped, prepended, replaced, sliced, transformed } from "./aligned.ts";
import { charsmap } from "./charsmap.ts";
import { patternOf } from "./patterns.ts";
import { normalForm } from "./unicode_forms.ts";

/** A step of normalization. */
export type Normalizer = (text: Aligned) => Aligned;

/** A part of tokenizer.json. */
export type Definition = Readonly<Record<string, unknown>> & { readonly type?: string };

const whitespace = /\p{White_Space}/u;
const ideographs =
  /[\u4E00-\u9FFF\u3400-\u4DBF\u{20000}-\u{2A6DF}\u{2A700}-\u{2B73F}\u{2B740}-\u{2B81F}\u{2B920}-\u{2CEAF}\uF900-\uFAFF\u{2F800}-\u{2FA1F}]/u;

/** A normalizer by its definition. Throws AttuneError where its type is not known. */
export function normalizerOf(definition: Definition | null | undefined): Normalizer {
  if (!definition) return (text) => text;
  switch (definition.type) {
    case "Sequence": {
      const steps = (definition.normalizers as readonly Definition[]).map(normalizerOf);
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
      return (text) => filtered(text, (char) => !/\p{M}/u.test(char));
    case "Strip":
      return stripped(definition.strip_left === true, definition.strip_right === true);
    case "Prepend": {
      const prefix = String(definition.prepend);
      return (text) => prepended(text, prefix);
    }
    case "Replace": {
      const pattern = patternOf(definition.pattern);
      const content = String(definition.content);
      return (text) => replaced(text, pattern, content);
    }
    case "Precompiled":
      return definition.precompiled_charsmap ? charsmap(String(definition.precompiled_charsmap)) : (text) => text;
    case "BertNormalizer":
      return bertNormalizer(definition);
    case "Nmt":
      return (text) => mapped(filtered(text, (c) => !nmtRemoved.test(c)), (c) => (nmtBlank.test(c) ? " " : c));
    case "ByteLevel":
      return bytesOf;
    default:
      throw unsupported("hf", "normalizer.type", definition.type, "this kind of normalizer is not known");
  }
}

// deno-lint-ignore no-control-regex
const nmtRemoved = /[\u0001-\u0008\u000B\u000E-\u001F\u007F\u008F\u009F]/;
// deno-lint-ignore no-control-regex
const nmtBlank = /[\u0009\u000A\u000C\u000D\u1680\u200B-\u200F\u2028\u2029\u2581\uFEFF\uFFFD]/;

function lowercase(text: Aligned): Aligned {
  // Character by character: a final sigma stays as it is in the middle of a word.
  return mapped(text, (char) => char.toLowerCase());
}

function withoutMarks(text: Aligned): Aligned {
  return filtered(text, (char) => !/\p{Mn}/u.test(char));
}

function stripped(left: boolean, right: boolean): Normalizer {
  return (text) => {
    let [start, end] = [0, text.chars.length];
    while (left && start < end && whitespace.test(text.chars[start] ?? "")) start++;
    while (right && end > start && whitespace.test(text.chars[end - 1] ?? "")) end--;
    return sliced(text, start, end);
  };
}

function bertNormalizer(definition: Definition): Normalizer {
  const { clean_text: cleans, handle_chinese_chars: spaces, strip_accents: strips, lowercase: lowers } = definition;
  const control = (c: string): boolean => !/[\t\n\r]/.test(c) && /[\p{Cc}\p{Cf}\p{Co}]/u.test(c);
  return (text) => {
    let own = text;
    if (cleans) {
      const clean = filtered(own, (c) => c !== "\0" && c !== "\ufffd" && !control(c));
      own = mapped(clean, (c) => (whitespace.test(c) ? " " : c));
    }
    if (spaces) {
      own = transformed(
        own,
        own.chars.flatMap((c): Change[] => (ideographs.test(c) ? [[" ", 0], [c, 1], [" ", 1]] : [[c, 0]])),
      );
    }
    if (strips === true || (strips === null || strips === undefined) && lowers) {
      own = withoutMarks(normalForm(own, "NFD"));
    }
    return lowers ? lowercase(own) : own;
  };
}

const encoder = new TextEncoder();

/** GPT-2's printable stand-ins for bytes. */
const byteChars: readonly string[] = ((): string[] => {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    return String.fromCodePoint(printable ? byte : next++);
  });
})();

/** Every character as the stand-ins of its bytes. */
export function bytesOf(text: Aligned): Aligned {
  return mapped(text, (char) => [...encoder.encode(char)].map((byte) => byteChars[byte] ?? "").join(""));
}
