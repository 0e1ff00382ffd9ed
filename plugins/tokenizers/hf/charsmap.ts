/** SentencePiece's compiled normalization rules: a double-array trie from byte strings to their replacements. */
import { badFile } from "../../../core/base/errors.ts";
import { type Aligned, type Change, transformText } from "./text/aligned.ts";
import { isLatestMark } from "./text/unicode.ts";

/** Longer groups of characters, in bytes, have no rule as a whole. */
const LONGEST = 6;

/** Returns the normalizer of a `precompiled_charsmap`. Throws AttuneError if it is damaged. */
export function charsmap(base64: string): (text: Aligned) => Aligned {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  } catch (cause) {
    throw badFile("hf", "tokenizer.json", `has a precompiled_charsmap that is not base64: ${cause}`);
  }
  if (bytes.length === 0) return (text) => text;

  const view = new DataView(bytes.buffer);
  const size = bytes.length >= 4 ? view.getUint32(0, true) : 0;
  if (size % 4 !== 0 || 4 + size > bytes.length) {
    throw badFile(
      "hf",
      "tokenizer.json",
      `has a precompiled_charsmap whose trie takes ${size} of ${bytes.length} bytes`,
    );
  }
  const trie = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
  const results = bytes.subarray(4 + size);
  const encoder = new TextEncoder();
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const known = new Map<string, string | undefined>();
  const lookUp = (part: string): string | undefined => {
    const at = prefixValue(trie, encoder.encode(part));
    if (at === undefined) return undefined;
    const end = results.indexOf(0, at);
    return decoder.decode(results.subarray(at, end < 0 ? results.length : end));
  };
  const rule = (part: string): string | undefined => {
    if (known.size >= 65_536) known.clear();
    if (!known.has(part)) known.set(part, lookUp(part));
    return known.get(part);
  };
  let plain: RegExp | undefined;
  return (text) => {
    // Printable ASCII text without any rule stays unchanged.
    plain ??= new RegExp(`^[${printable.filter((char) => rule(char) === undefined).map(inClass).join("")}]*$`);
    if (plain.test(text.text)) return text;
    const changes: Change[] = [];
    let changed = false;
    for (const segment of graphemesOf(text.text)) {
      const whole = encoder.encode(segment).length < LONGEST ? rule(segment) : undefined;
      if (whole !== undefined) {
        changes.push(...replacement(segment, whole));
        changed = true;
        continue;
      }
      for (const char of segment) {
        const mapped = rule(char);
        if (mapped === undefined) changes.push([char, 0]);
        else {
          changes.push(...replacement(char, mapped));
          changed = true;
        }
      }
    }
    return changed ? withoutLosses(text, changes) : text;
  };
}

const printable = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i));
const inClass = (char: string): string => `\\x${char.charCodeAt(0).toString(16)}`;
const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** Splits into graphemes. Marks of Unicode 17, which engines of 16 lack, belong to what precedes them. */
function graphemesOf(text: string): string[] {
  const groups: string[] = [];
  for (const { segment } of graphemes.segment(text)) {
    const last = groups.at(-1);
    const joins = last !== undefined && isLatestMark(segment.codePointAt(0) ?? 0) &&
      !/[\p{Cc}\p{Zl}\p{Zp}]$/u.test(last);
    if (joins) groups[groups.length - 1] = last + segment;
    else groups.push(segment);
  }
  return groups;
}

/** Returns the trie's value for the shortest key that is a prefix of the bytes. */
function prefixValue(trie: Uint32Array, key: Uint8Array): number | undefined {
  const unitAt = (at: number): number => trie[at] ?? 0;
  const offset = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6);
  let node = offset(unitAt(0));
  for (const byte of key) {
    if (byte === 0) return undefined;
    node ^= byte;
    const unit = unitAt(node);
    if ((unit & 0x800000ff) >>> 0 !== byte) return undefined;
    node ^= offset(unit);
    if ((unit >>> 8) & 1) return unitAt(node) & 0x7fffffff;
  }
  return undefined;
}

/** Aligns characters: a longer replacement inserts its last ones; the last of a shorter one takes the old rest. */
function replacement(old: string, now: string): Change[] {
  const chars = [...now];
  const more = chars.length - [...old].length;
  if (chars.length === 0) return [["", more]];
  return chars.map((char, i): Change => {
    if (more > 0) return [char, i >= chars.length - more ? 1 : 0];
    return [char, i === chars.length - 1 ? more : 0];
  });
}

/** Applies changes; an empty one passes the characters that it takes to the previous change (at the start, to none). */
function withoutLosses(text: Aligned, changes: readonly Change[]): Aligned {
  const out: Change[] = [];
  for (const [char, change] of changes) {
    const last = out.at(-1);
    if (char !== "") out.push([char, change]);
    else if (last) out[out.length - 1] = [last[0], last[1] + change];
  }
  return transformText(text, out);
}
