/** A baseline for tagging words. */
import type { Row } from "../../core/types.ts";

/** Returns the accuracy of each word's most frequent tag in training (for unknown words, the most frequent of all). */
export function predictFrequentTags(
  train: readonly Row[],
  evaluationRows: readonly Row[],
  columns: Readonly<{ tokens: string; tags: string }> = { tokens: "tokens", tags: "tags" },
): number {
  const counts = new Map<string, Map<string, number>>();
  const count = (word: string, tag: string): void => {
    const tags = counts.get(word) ?? new Map<string, number>();
    counts.set(word, tags.set(tag, (tags.get(tag) ?? 0) + 1));
  };
  const each = (rows: readonly Row[], seen: (word: string, tag: string) => void): void => {
    for (const row of rows) {
      const [words, tags] = [row[columns.tokens], row[columns.tags]] as unknown[][];
      words?.forEach((word, i) => seen(String(word).toLowerCase(), String(tags?.[i])));
    }
  };
  each(train, (word, tag) => {
    count(word, tag);
    count("", tag);
  });
  const best = new Map([...counts].map(([word, own]) => [word, [...own].sort((a, b) => b[1] - a[1])[0]?.[0]]));
  let [right, all] = [0, 0];
  each(evaluationRows, (word, tag) => {
    all++;
    if ((best.get(word) ?? best.get("")) === tag) right++;
  });
  return right / all;
}
