/** Review sentences with artificial dirt, like rows that people typed, pasted and merged. */
import { createRandom, permutation, type Random } from "../../core/math/random.ts";
import type { Row } from "../../core/types.ts";

/** Column names of the dirty file. */
export const dirtyColumns = { text: "Review Text", label: "Sentiment" } as const;

/** The spellings of each class. */
export const spellings: Readonly<Record<string, readonly string[]>> = {
  positive: ["positive", "Positive", "POSITIVE ", "pos", "+"],
  negative: ["negative", "Negative", " NEGATIVE", "neg", "-"],
};

/** Meaningless values in place of a text. */
const placeholders: readonly string[] = ["n/a", "?", "-", "ok", "..."];

/** Share of rows that get each kind of dirt. */
const shares = {
  html: 0.25,
  blanks: 0.25,
  control: 0.1,
  contact: 0.1,
  missing: 0.05,
  placeholder: 0.05,
  exact: 0.2,
  near: 0.2,
  negative: 0.3,
  leak: 0.1,
} as const;

/** Dirty training rows, and test rows, whose column `seen` says whether the row is also in train. */
export type DirtyRows = Readonly<{ train: readonly Row[]; test: readonly Row[] }>;

/**
 * Returns rows of `text` and `label` with HTML, double spaces, control characters, contact data, several spellings of
 * classes, missing and meaningless texts, duplicates, near duplicates, few negative rows, and some of the test rows.
 */
export function dirtyReviews(train: readonly Row[], test: readonly Row[], seed: number): DirtyRows {
  const random = createRandom(seed).fork("dirt");
  const isDrawn = (what: keyof typeof shares, i: number): boolean => random.fork(what).uniform(i) < shares[what];
  const isSeen = test.map((_, i) => isDrawn("leak", i));
  const thinned = train.filter(({ label }, i) => label !== "negative" || isDrawn("negative", i));
  const extra = thinned.flatMap((row, i): Row[] => [
    ...(isDrawn("exact", i) ? [row] : []),
    ...(isDrawn("near", i) ? [{ ...row, text: `${row.text} Really.` }] : []),
    ...(isDrawn("missing", i) ? [{ ...row, text: i % 2 === 0 ? "" : "<p> </p>" }] : []),
    ...(isDrawn("placeholder", i) ? [{ ...row, text: pick(placeholders, random.fork("which"), i) }] : []),
  ]);
  const rows = [...thinned, ...extra, ...test.filter((_, i) => isSeen[i])];
  const order = permutation(random.fork("order"), rows.length);
  return {
    train: Array.from(order, (place, i): Row => {
      const { text = "", label = "" } = rows[place] as Readonly<{ text?: string; label?: string }>;
      return {
        [dirtyColumns.text]: text === "" ? text : dirtied(text, i, random, isDrawn),
        [dirtyColumns.label]: pick(spellings[label] ?? [label], random.fork("spelling"), i),
      };
    }),
    test: test.map(({ text, label }, i) => ({
      [dirtyColumns.text]: text,
      [dirtyColumns.label]: label,
      seen: isSeen[i] ? "yes" : "no",
    })),
  };
}

function dirtied(
  text: string,
  i: number,
  random: Random,
  drawn: (what: keyof typeof shares, i: number) => boolean,
): string {
  let dirty = text;
  if (drawn("contact", i)) {
    const number = 1000 + Math.floor(random.fork("number").uniform(i) * 9000);
    dirty += i % 2 === 0 ? ` Write to guest${number}@example.com` : ` Call +1 212 555 ${number}`;
  }
  if (drawn("blanks", i)) dirty = ` ${dirty.replaceAll(" ", "  ")} `;
  if (drawn("control", i)) dirty = dirty.replace(" ", " \u200B\u0007");
  if (drawn("html", i)) dirty = `<p>${dirty.replaceAll("&", "&amp;").replaceAll("'", "&#39;")}<br/></p>`;
  return dirty;
}

function pick<T>(values: readonly T[], random: Random, i: number): T {
  return values[Math.floor(random.uniform(i) * values.length)] as T;
}

/** Returns rows as CSV, with the columns of the first row. */
export function csvOf(rows: readonly Row[]): string {
  const columns = Object.keys(rows[0] ?? {});
  const quoted = (value: unknown): string => `"${String(value ?? "").replaceAll('"', '""')}"`;
  return [columns.map(quoted), ...rows.map((row) => columns.map((name) => quoted(row[name])))]
    .map((values) => `${values.join(",")}\n`).join("");
}
