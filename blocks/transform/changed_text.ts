/** Texts that are changed, with where their places went: so answers and tags stay where they belong. */

/** A part of a text that becomes another. */
export type Edit = Readonly<{ from: number; to: number; text: string }>;

/** A text as it has become. `start` and `end`: where a stretch that began or ended at a place of the old one does now. */
export type ChangedText = Readonly<{ text: string; start(at: number): number; end(at: number): number }>;

/** A text as it is. */
export function asChangedText(text: string): ChangedText {
  return { text, start: (at) => at, end: (at) => at };
}

/** A text with edits that follow each other and share no place. */
export function applyEdits(text: string, edits: readonly Edit[]): ChangedText {
  if (edits.length === 0) return asChangedText(text);
  let at = 0;
  const parts: string[] = [];
  for (const edit of edits) {
    parts.push(text.slice(at, edit.from), edit.text);
    at = edit.to;
  }
  parts.push(text.slice(at));
  const move = (place: number, ends: boolean): number => {
    let shift = 0;
    for (const { from, to, text: by } of edits) {
      // What is put in where a stretch begins is before it, and where it ends behind it.
      if (to <= place && (from < place || !ends)) shift += by.length - (to - from);
      else if (from < place) return from + shift + (ends ? by.length : 0);
      else break;
    }
    return place + shift;
  };
  return { text: parts.join(""), start: (place) => move(place, false), end: (place) => move(place, true) };
}

/** One change after the other. */
export function thenChanged(first: ChangedText, next: (text: string) => ChangedText): ChangedText {
  const second = next(first.text);
  if (second.text === first.text) return first;
  return {
    text: second.text,
    start: (at) => second.start(first.start(at)),
    end: (at) => second.end(first.end(at)),
  };
}

/** A text with each match of an expression replaced. */
export function replaceMatches(text: string, pattern: RegExp, by: (match: RegExpMatchArray) => string): ChangedText {
  const edits: Edit[] = [];
  for (const match of text.matchAll(pattern)) {
    const replaced = by(match);
    if (replaced !== match[0]) edits.push({ from: match.index, to: match.index + match[0].length, text: replaced });
  }
  return applyEdits(text, edits);
}
