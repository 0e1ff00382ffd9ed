/**
 * Where tokens stand in the text: the library gives tokens alone, so the text is followed through its steps.
 * @module
 */

/** A stretch of the original text in UTF-16 units. */
export type Span = readonly [start: number, end: number];

/** A normalized text, and the original stretch of each of its UTF-16 units. */
export type Normalized = Readonly<{ text: string; spans: readonly Span[] }>;

/** Normalizes a text, following it character by character where that gives the same. */
export function normalizeWithSpans(text: string, from: number, normalize: (text: string) => string): Normalized {
  const whole = normalize(text);
  const spans: Span[] = [];
  let joined = "";
  let at = 0;
  for (const character of text) {
    const own = character === whole[0] && text.length === 1 ? whole : normalize(character);
    for (let i = 0; i < own.length; i++) spans.push([from + at, from + at + character.length]);
    joined += own;
    at += character.length;
  }
  if (joined === whole) return { text: whole, spans };
  // Composition joins a letter with its marks: the result stands where the letter stood.
  const composed: Span[] = [];
  let clusters = "";
  at = 0;
  for (const [cluster] of text.matchAll(/\P{M}?\p{M}*/gsu)) {
    const own = normalize(cluster);
    const first = (cluster.codePointAt(0) ?? 0) > 0xffff ? 2 : 1;
    for (let i = 0; i < own.length; i++) {
      const place = own.length === cluster.length ? i : 0;
      composed.push([from + at + place, from + at + Math.max(place + 1, place === 0 ? first : 0)]);
    }
    clusters += own;
    at += cluster.length;
  }
  if (clusters === whole) return { text: whole, spans: composed };
  return { text: whole, spans: matched(text, from, joined, spans, whole) };
}

// Rules that look at neighbours (prepending, collapsing blanks) keep most characters: match greedily, in order.
function matched(text: string, from: number, joined: string, known: readonly Span[], whole: string): Span[] {
  const spans: Span[] = [];
  let j = 0;
  for (let i = 0; i < whole.length; i++) {
    const found = joined.indexOf(whole[i] ?? "", j);
    if (found >= 0 && found - j <= 8) j = found + 1;
    const own = known[Math.max(0, Math.min(known.length - 1, j - 1))];
    spans.push(found >= 0 && found < j && own ? own : own ? [own[1], own[1]] : [from, from + Math.min(1, text.length)]);
  }
  return spans;
}

/** The span of units a to b (excluded) of a normalized text. */
export function spanOf({ spans }: Normalized, a: number, b: number): Span {
  const [first, last] = [spans[Math.min(a, spans.length - 1)], spans[Math.min(Math.max(a, b - 1), spans.length - 1)]];
  if (!first || !last) return [0, 0];
  return b <= a ? [first[0], first[0]] : [first[0], last[1]];
}

/** The span without the blanks that a byte-level token begins or ends with; other blanks are parts of characters. */
export function trimmed(token: string, [start, end]: Span): Span {
  const leading = /^[Ġ\s]*/.exec(token)?.[0].length ?? 0;
  const trailing = /[Ġ\s]*$/.exec(token)?.[0].length ?? 0;
  const from = Math.min(start + leading, end);
  return [from, Math.max(end - trailing, from)];
}

/** Bytes of a code point in UTF-8. */
export function utf8Length(code: number): number {
  return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

/** How many bytes each UTF-16 unit of a text takes in UTF-8; a pair's bytes stand at its first unit. */
export function byteStarts(text: string): number[] {
  const units: number[] = [];
  let at = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    for (let i = 0; i < utf8Length(code); i++) units.push(at);
    at += character.length;
  }
  units.push(at);
  return units;
}
