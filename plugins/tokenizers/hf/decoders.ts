/** The decoders of tokenizer.json, from tokens to text. */
import { unsupported } from "../../../core/base/errors.ts";
import { checkGrowth, mostOf } from "./text/aligned.ts";
import { byteChars, type Definition } from "./normalizers.ts";
import type { Notations } from "./notations.ts";
import { patternOf } from "./text/patterns.ts";

/** A decoding step. `most`: the limit of characters in the result. */
type Step = (tokens: readonly string[], most: number) => readonly string[];

/** The part of a step for a single token. */
type Act = (token: string) => string;

/** Returns the decoder of a definition. Throws AttuneError for an unknown type. */
export function decoderOf(
  definition: Definition | null | undefined,
  notations: Notations = {},
): (tokens: readonly string[]) => string {
  if (!definition) return (tokens) => tokens.join(" ");
  const step = stepOf(definition, notations);
  return (tokens) => {
    const length = tokens.reduce((sum, token) => sum + token.length, 0);
    return tokens.length === 0 ? "" : step(tokens, mostOf({ length })).join("");
  };
}

function stepOf(definition: Definition, notations: Notations): Step {
  switch (definition.type) {
    case "Sequence": {
      const steps = (definition.decoders as readonly Definition[]).map((step) => stepOf(step, notations));
      return (tokens, most) => steps.reduce((own, step) => step(own, most), tokens);
    }
    case "BPEDecoder": {
      const suffix = String(definition.suffix ?? "</w>");
      const inner: Act = (token) => token.replaceAll(suffix, " ");
      const last: Act = (token) => token.replaceAll(suffix, "");
      return (tokens) => [...eachOnce(tokens.slice(0, -1), inner), ...tokens.slice(-1).map(last)];
    }
    case "ByteLevel":
      return (tokens) => [decoder.decode(Uint8Array.from(tokens.flatMap(bytesOf)))];
    case "WordPiece": {
      const prefix = String(definition.prefix ?? "##");
      const cleans = definition.cleanup !== false;
      const cleaned: Act = (word) => (cleans ? cleanUp(word) : word);
      const behind: Act = (token) => cleaned(token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`);
      return (tokens) => [...tokens.slice(0, 1).map(cleaned), ...eachOnce(tokens.slice(1), behind)];
    }
    case "Metaspace": {
      const mark = String(definition.replacement ?? "▁");
      const keeps = definition.add_prefix_space === false || definition.prepend_scheme === "never";
      const first: Act = (token) => token.replaceAll(mark, keeps ? " " : "");
      const behind: Act = (token) => token.replaceAll(mark, " ");
      return (tokens) => [...tokens.slice(0, 1).map(first), ...eachOnce(tokens.slice(1), behind)];
    }
    case "CTC":
      return ctc(definition);
    case "Replace": {
      const matches = patternOf(definition.pattern, notations.readRegex);
      const content = String(definition.content);
      return (tokens, most) => {
        const texts = eachOnce(tokens, (token) => {
          const found = matches(token);
          checkGrowth(token.length + found.length / 2 * content.length, most);
          return replacedBy(token, found, content);
        });
        checkGrowth(texts.reduce((sum, text) => sum + text.length, 0), most);
        return texts;
      };
    }
    case "Fuse":
      return (tokens) => [tokens.join("")];
    case "Strip":
      return (tokens) => eachOnce(tokens, (token) => stripped(token, definition));
    case "ByteFallback":
      return byteFallback;
    default:
      throw unsupported("hf", "decoder.type", definition.type, "the type is unknown");
  }
}

/** Applies a function once to each distinct token: a long text has few of them. */
function eachOnce(tokens: readonly string[], act: Act): readonly string[] {
  const made = new Map<string, string>();
  return tokens.map((token) => {
    const text = made.get(token) ?? act(token);
    made.set(token, text);
    return text;
  });
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();
const byteOf = new Map(byteChars.map((char, byte) => [char, byte]));

/** Returns the bytes that a token's characters represent or, if some represent none, the token's own. */
function bytesOf(token: string): number[] {
  const bytes: number[] = [];
  for (const char of token) {
    const byte = byteOf.get(char);
    if (byte === undefined) return [...encoder.encode(token)];
    bytes.push(byte);
  }
  return bytes;
}

const clean: readonly (readonly [string, string])[] = [
  [" .", "."],
  [" ?", "?"],
  [" !", "!"],
  [" ,", ","],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [" do not", " don't"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
];

/** Removes the blanks that tokenizing leaves before punctuation. */
function cleanUp(text: string): string {
  return clean.reduce((own, [from, to]) => own.replaceAll(from, to), text);
}

function ctc(definition: Definition): Step {
  const pad = String(definition.pad_token ?? "<pad>");
  const delimiter = String(definition.word_delimiter_token ?? "|");
  const cleans = definition.cleanup !== false;
  const act: Act = (token) => {
    const text = token.replaceAll(pad, "");
    return cleans ? cleanUp(text).replaceAll(delimiter, " ") : text;
  };
  return (tokens) =>
    eachOnce(tokens.filter((token, i) => i === 0 || token !== tokens[i - 1]), act).filter((token) => token !== "");
}

function replacedBy(token: string, matches: readonly number[], content: string): string {
  let [text, done] = ["", 0];
  for (let i = 0; i < matches.length; i += 2) {
    text += token.slice(done, matches[i]) + content;
    done = matches[i + 1] as number;
  }
  return text + token.slice(done);
}

function stripped(token: string, { content, start, stop }: Definition): string {
  const chars = [...token];
  let [from, to] = [0, chars.length];
  while (from < Number(start) && from < chars.length && chars[from] === content) from++;
  while (chars.length - to < Number(stop) && to > 0 && chars[to - 1] === content) to--;
  return chars.slice(from, Math.max(from, to)).join("");
}

/** Decodes runs of byte tokens to text, or to a replacement character for each byte. */
function byteFallback(tokens: readonly string[]): readonly string[] {
  const out: string[] = [];
  let bytes: number[] = [];
  const flush = (): void => {
    if (bytes.length === 0) return;
    const text = decoder.decode(Uint8Array.from(bytes));
    // Invalid UTF-8 does not survive a round trip. (An exception for each run would be slow.)
    const back = encoder.encode(text);
    const isText = back.length === bytes.length && bytes.every((byte, i) => byte === back[i]);
    // A token for each byte that is none of a text: what follows may join tokens, or drop equal neighbours.
    if (isText) out.push(text);
    else for (let i = 0; i < bytes.length; i++) out.push("\ufffd");
    bytes = [];
  };
  for (const token of tokens) {
    if (/^<0x[0-9A-Fa-f]{2}>$/.test(token)) {
      bytes.push(parseInt(token.slice(3, 5), 16));
      continue;
    }
    flush();
    out.push(token);
  }
  flush();
  return out;
}
