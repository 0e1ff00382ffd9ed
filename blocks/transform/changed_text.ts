/** Changed texts with a map from old to new positions, so that answers and tags stay in place. */

/** The replacement of a range of a text. */
export type Edit = Readonly<{ from: number; to: number; text: string }>;

/** A changed text. `start` and `end` map the old begin or end of a range to the new one. */
export type ChangedText = Readonly<{ text: string; start(at: number): number; end(at: number): number }>;

/** Returns a text as its own unchanged version. */
export function asChangedText(text: string): ChangedText {
  return { text, start: (at) => at, end: (at) => at };
}

/** Applies edits, which must be sorted and not overlap. */
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
      // An insertion at a range's begin is placed before the range, at its end after it.
      if (to <= place && (from < place || !ends)) shift += by.length - (to - from);
      else if (from < place) return from + shift + (ends ? by.length : 0);
      else break;
    }
    return place + shift;
  };
  return { text: parts.join(""), start: (place) => move(place, false), end: (place) => move(place, true) };
}

/** Chains two changes. */
export function thenChanged(first: ChangedText, next: (text: string) => ChangedText): ChangedText {
  const second = next(first.text);
  if (second.text === first.text) return first;
  return {
    text: second.text,
    start: (at) => second.start(first.start(at)),
    end: (at) => second.end(first.end(at)),
  };
}

/** Replaces each match of an expression. */
export function replaceMatches(text: string, pattern: RegExp, by: (match: RegExpMatchArray) => string): ChangedText {
  const edits: Edit[] = [];
  for (const match of text.matchAll(pattern)) {
    const replaced = by(match);
    if (replaced !== match[0]) edits.push({ from: match.index, to: match.index + match[0].length, text: replaced });
  }
  return applyEdits(text, edits);
}
