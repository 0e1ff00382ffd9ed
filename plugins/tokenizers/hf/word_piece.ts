/** WordPiece (the longest known prefix of what is left) and WordLevel (whole words). */
import { widthAt } from "./text/aligned.ts";
import { noUnknown, type Piece } from "./piece.ts";
import type { Definition } from "./normalizers.ts";

/** Returns the WordPiece model of a definition. */
export function wordPiece(definition: Definition, vocabulary: ReadonlyMap<string, number>): (text: string) => Piece {
  const unknown = vocabulary.get(String(definition.unk_token ?? "[UNK]"));
  const prefix = String(definition.continuing_subword_prefix ?? "##");
  const most = Number(definition.max_input_chars_per_word ?? 100);
  let longest = 0;
  for (const token of vocabulary.keys()) longest = Math.max(longest, token.length);
  const none = (text: string): Piece => {
    if (unknown === undefined) throw noUnknown(text);
    return { ids: [unknown], starts: [0], ends: [text.length] };
  };
  return (text) => {
    // A text has at most as many characters as units, and at least half as many.
    if (text.length > 2 * most || text.length > most && Array.from(text).length > most) return none(text);
    const ids: number[] = [];
    const starts: number[] = [];
    const ends: number[] = [];
    for (let start = 0; start < text.length;) {
      const lead = start > 0 ? prefix : "";
      let end = Math.min(text.length, start + Math.max(1, longest - lead.length));
      let id: number | undefined;
      while (end > start) {
        id = vocabulary.get(lead + text.slice(start, end));
        if (id !== undefined) break;
        end -= end - 2 >= start && widthAt(text, end - 2) === 2 ? 2 : 1;
      }
      if (id === undefined) return none(text);
      ids.push(id);
      starts.push(start);
      ends.push(end);
      start = end;
    }
    return { ids, starts, ends };
  };
}

/** Returns the WordLevel model of a definition. */
export function wordLevel(definition: Definition, vocabulary: ReadonlyMap<string, number>): (text: string) => Piece {
  const unknown = vocabulary.get(String(definition.unk_token ?? "<unk>"));
  return (text) => {
    const id = vocabulary.get(text) ?? unknown;
    if (id === undefined) throw noUnknown(text);
    return { ids: [id], starts: [0], ends: [text.length] };
  };
}
