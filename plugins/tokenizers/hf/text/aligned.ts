/**
 * A changing text with the origin of each character, like Hugging Face's NormalizedString.
 * @module
 */

import { badValue } from "../../../../core/base/errors.ts";

/** A range of a text in UTF-16 units. */
export type Span = readonly [start: number, end: number];

/**
 * A text and its offset in the original. Each UTF-16 unit corresponds to the range of the original from `starts` to
 * `ends`; without these, to itself. `most`: the limit of its length in units.
 */
export type Aligned = Readonly<{ text: string; from: number; most: number; starts?: Int32Array; ends?: Int32Array }>;

/**
 * A new character, and its effect on the old text: 0 replaces one character, n > 0 inserts (replaces none), -n replaces
 * one and removes the n after it.
 */
export type Change = readonly [char: string, change: number];

/** Returns an unchanged text; `from`: its offset in the original. */
export function alignedOf(text: string, from = 0): Aligned {
  return { text, from, most: mostOf(text) };
}

/** Units to which every text may grow, and to which long ones may. */
const [GROWS, GROWS_LONG] = [2 ** 16, 2 ** 24];

/** Returns how long a text may become, in units: Unicode's longest decompositions have 18 characters. */
export function mostOf({ length }: Readonly<{ length: number }>): number {
  return Math.min(GROWS + 64 * length, Math.max(GROWS_LONG, 4 * length));
}

/** Throws AttuneError if a tokenizer's steps make a text longer than the limit. */
export function checkGrowth(length: number, most: number): void {
  if (length > most) {
    throw badValue(
      "hf",
      "tokenizer.json",
      `${length} characters and more`,
      `steps that make at most ${most} of this text`,
    );
  }
}

/** Returns the number of units of the character at a position. */
export function widthAt(text: string, at: number): number {
  const unit = text.charCodeAt(at);
  if (unit < 0xd800 || unit > 0xdbff || at + 1 >= text.length) return 1;
  const next = text.charCodeAt(at + 1);
  return next >= 0xdc00 && next <= 0xdfff ? 2 : 1;
}

/** Returns where the character of unit `unit` begins in the original. */
export function startOf(a: Aligned, unit: number): number {
  if (a.starts) return a.starts[unit] ?? a.from;
  return a.from + unit - (unit > 0 && widthAt(a.text, unit - 1) === 2 ? 1 : 0);
}

/** Returns where the text before unit `unit` ends in the original. */
export function endOf(a: Aligned, unit: number): number {
  if (a.ends) return a.ends[unit - 1] ?? a.from;
  return a.from + unit + (unit > 0 && widthAt(a.text, unit - 1) === 2 ? 1 : 0);
}

/** Returns a part of a text, by units. */
export function sliceAligned(a: Aligned, start: number, end: number): Aligned {
  if (start === 0 && end === a.text.length && (!a.starts || a.starts[0] === a.from)) return a;
  const text = a.text.slice(start, end);
  const { most } = a;
  if (!a.starts || !a.ends) return { text, from: a.from + start, most };
  return {
    text,
    from: startOf(a, start),
    most,
    starts: a.starts.subarray(start, end),
    ends: a.ends.subarray(start, end),
  };
}

type Writer = Readonly<{
  /** Writes characters with the position of unit `at` of the old text; before its start, at the start. */
  write(text: string, at: number): void;
  /** Keeps units of the old text. */
  keep(start: number, end: number): void;
  end(): Aligned;
}>;

function writer(old: Aligned): Writer {
  let text = "";
  const starts: number[] = [];
  const ends: number[] = [];
  return {
    write: (fragment, at) => {
      text += fragment;
      checkGrowth(text.length, old.most);
      const start = at < 0 ? old.from : startOf(old, at);
      const end = at < 0 ? old.from : endOf(old, at + 1);
      for (let i = 0; i < fragment.length; i++) {
        starts.push(start);
        ends.push(end);
      }
    },
    keep: (start, end) => {
      text += old.text.slice(start, end);
      checkGrowth(text.length, old.most);
      for (let i = start; i < end; i++) {
        starts.push(startOf(old, i));
        ends.push(endOf(old, i + 1));
      }
    },
    end: () => ({
      text,
      from: old.from,
      most: old.most,
      starts: Int32Array.from(starts),
      ends: Int32Array.from(ends),
    }),
  };
}

/** Replaces all characters, dropping the first `removed`. An inserted one has the position of its predecessor. */
export function transformText(a: Aligned, changes: readonly Change[], removed = 0): Aligned {
  const { write, end } = writer(a);
  let at = 0;
  const skip = (count: number): void => {
    for (let i = 0; i < count && at < a.text.length; i++) at += widthAt(a.text, at);
  };
  skip(removed);
  for (const [char, change] of changes) {
    write(char, change > 0 ? at - 1 : at);
    if (change <= 0) skip(1 - change);
  }
  return end();
}

/** Removes characters that are not to be kept. */
export function keepCodes(a: Aligned, keep: (code: number) => boolean): Aligned {
  let changed: Writer | undefined;
  let done = 0;
  for (let at = 0; at < a.text.length;) {
    const code = a.text.codePointAt(at) ?? 0;
    const next = at + (code > 0xffff ? 2 : 1);
    if (!keep(code)) {
      changed ??= writer(a);
      changed.keep(done, at);
      done = next;
    }
    at = next;
  }
  if (!changed) return a;
  changed.keep(done, a.text.length);
  return changed.end();
}

/** Replaces every character by others. */
export function mapChars(a: Aligned, change: (char: string) => string): Aligned {
  let text = "";
  let alike = true;
  for (const char of a.text) {
    const changed = change(char);
    text += changed;
    alike &&= changed.length === char.length && widthAt(changed, 0) === changed.length;
  }
  if (alike) return text === a.text ? a : { ...a, text };
  const { write, end } = writer(a);
  let at = 0;
  for (const char of a.text) {
    let first = true;
    for (const own of change(char)) {
      // An inserted character has the position of the previous one, which is this character's.
      write(own, first ? at : at + char.length - 1);
      first = false;
    }
    at += char.length;
  }
  return end();
}

/** Replaces ranges, given as start, end, ...; a replacement has the position of the range's last character. */
export function replaced(a: Aligned, matches: readonly number[], content: string): Aligned {
  if (matches.length === 0) return a;
  const { write, keep, end: done } = writer(a);
  let from = 0;
  for (let i = 0; i < matches.length; i += 2) {
    const [start, end] = [matches[i] as number, matches[i + 1] as number];
    keep(from, start);
    write(content, end - 1);
    from = end;
  }
  keep(from, a.text.length);
  return done();
}

/** Prepends characters, which get the position of the first one. */
export function prependText(a: Aligned, prefix: string): Aligned {
  if (a.text === "") return a;
  const { write, keep, end } = writer(a);
  write(prefix, 0);
  keep(0, a.text.length);
  return end();
}
