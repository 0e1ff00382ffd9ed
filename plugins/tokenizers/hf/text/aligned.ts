/**
 * A text under change that knows where each of its characters came from, as Hugging Face's NormalizedString does.
 * @module
 */

import { badValue } from "../../../../core/base/errors.ts";

/** A stretch of a text in UTF-16 units. */
export type Span = readonly [start: number, end: number];

/**
 * A text and where it begins in the original. Each UTF-16 unit stands for the stretch of the original from `starts` to `ends`;
 * without these, for itself. `most`: units that it may grow to.
 */
export type Aligned = Readonly<{ text: string; from: number; most: number; starts?: Int32Array; ends?: Int32Array }>;

/**
 * A new character, and how many characters of the old text it takes: 0 for its own one, n > 0 for none (it is
 * inserted), -n for its own one and the n behind it.
 */
export type Change = readonly [char: string, change: number];

/** A text as it is; `from`: where it begins in the original. */
export function alignedOf(text: string, from = 0): Aligned {
  return { text, from, most: mostOf(text) };
}

/** Units that any text may grow to, and those that a long one may. */
const [GROWS, GROWS_LONG] = [2 ** 16, 2 ** 24];

/** Units that the steps of a tokenizer may make of a text: Unicode's longest forms have 18 characters. */
export function mostOf({ length }: Readonly<{ length: number }>): number {
  return Math.min(GROWS + 64 * length, Math.max(GROWS_LONG, 4 * length));
}

/** Throws AttuneError if the steps of a tokenizer make a text longer than it may get. */
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

/** How many units the character at a place has. */
export function widthAt(text: string, at: number): number {
  const unit = text.charCodeAt(at);
  if (unit < 0xd800 || unit > 0xdbff || at + 1 >= text.length) return 1;
  const next = text.charCodeAt(at + 1);
  return next >= 0xdc00 && next <= 0xdfff ? 2 : 1;
}

/** Where in the original the character that unit `unit` is of begins. */
export function startOf(a: Aligned, unit: number): number {
  if (a.starts) return a.starts[unit] ?? a.from;
  return a.from + unit - (unit > 0 && widthAt(a.text, unit - 1) === 2 ? 1 : 0);
}

/** Where in the original what is in front of unit `unit` ends. */
export function endOf(a: Aligned, unit: number): number {
  if (a.ends) return a.ends[unit - 1] ?? a.from;
  return a.from + unit + (unit > 0 && widthAt(a.text, unit - 1) === 2 ? 1 : 0);
}

/** Part of a text, by units. */
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
  /** Characters that stand where unit `at` of the old text does; before its start, at the start. */
  write(text: string, at: number): void;
  /** Units of the old text as they are. */
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

/** Puts new characters in place of all; the first `removed` old ones have none. An inserted one stands where its neighbour before does. */
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

/** Without the characters that are not kept. */
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

/** Every character by others in its place. */
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
      // What is inserted stands where what is before it does, which is where this character does.
      write(own, first ? at : at + char.length - 1);
      first = false;
    }
    at += char.length;
  }
  return end();
}

/** Stretches, given as start, end, start, end ..., replaced; what replaces one stands where its last character did. */
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

/** Characters put in front; they stand where the first one does. */
export function prependText(a: Aligned, prefix: string): Aligned {
  if (a.text === "") return a;
  const { write, keep, end } = writer(a);
  write(prefix, 0);
  keep(0, a.text.length);
  return end();
}
