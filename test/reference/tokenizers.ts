/**
 * tokenizers/*.json of the reference: ids, offsets, words, decoded texts, windows.
 * @module
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { EncodeOptions, Encoding, Tokenizer } from "../../core/types.ts";
import { codePointOffsets, hf } from "../../plugins/tokenizers/hf.ts";
import { directoryStore } from "../../runtimes/host/directory_store.ts";

type Expected = Readonly<
  {
    ids: number[];
    offsets?: number[][];
    wordIds?: (number | null)[];
    sequenceIds?: (number | null)[];
    specialTokensMask?: number[];
    decoded?: string;
  }
>;
type Options = Readonly<
  { truncation?: EncodeOptions["truncation"]; maxLength?: number; stride?: number; returnOverflowingTokens?: boolean }
>;
type Case = Readonly<{ text: string; textPair?: string; options?: Options; windows?: Expected[]; error?: unknown }>;
type Item = Readonly<{ name: string; ok: boolean; detail: string }>;

/** Checks a file. `parts`: which figures are compared. */
export async function checkTokenizerReference(
  path: string,
  parts: ReadonlySet<string> = new Set(["ids", "offsets", "wordIds", "decoded"]),
): Promise<{ items: Item[] }> {
  const file: { tokenizer: string; strings: (Expected & { text: string })[]; singles?: Case[]; pairs?: Case[] } = JSON
    .parse(readFileSync(path, "utf8"));
  const folder = resolve(dirname(path), file.tokenizer);
  const tokenizer = await hf().open(directoryStore(folder));
  const items: Item[] = [];
  file.strings.forEach((wanted, i) => {
    items.push(
      compare(`strings ${i}`, tokenizer, wanted.text, undefined, tokenizer.encode(wanted.text)[0], wanted, parts),
    );
  });
  for (const [kind, cases] of [["singles", file.singles ?? []], ["pairs", file.pairs ?? []]] as const) {
    cases.forEach((one, i) => items.push(windows(`${kind} ${i}`, tokenizer, one, parts)));
  }
  return { items };
}

function windows(name: string, tokenizer: Tokenizer, one: Case, parts: ReadonlySet<string>): Item {
  const { returnOverflowingTokens, ...options } = one.options ?? {};
  let found: readonly Encoding[];
  try {
    found = tokenizer.encode(one.text, {
      ...options,
      // The reference called with one pair each, where transformers takes an empty second text for none.
      textPair: one.textPair === "" ? undefined : one.textPair,
      returnOverflowingTokens: returnOverflowingTokens ?? false,
    });
  } catch (error) {
    return { name, ok: one.error !== undefined, detail: String(error) };
  }
  if (one.error !== undefined) return { name, ok: false, detail: "no error where one was due" };
  const wanted = one.windows ?? [];
  if (found.length !== wanted.length) {
    return { name, ok: false, detail: `${found.length} windows, not ${wanted.length}` };
  }
  for (const [i, w] of wanted.entries()) {
    const item = compare(name, tokenizer, one.text, one.textPair, found[i] as Encoding, w, parts);
    if (!item.ok) return item;
  }
  return { name, ok: true, detail: "" };
}

function compare(
  name: string,
  tokenizer: Tokenizer,
  text: string,
  pair: string | undefined,
  found: Encoding,
  wanted: Expected,
  parts: ReadonlySet<string>,
): Item {
  const differs = (what: string, own: unknown, want: unknown): Item | undefined =>
    !parts.has(what) || want === undefined || JSON.stringify(own) === JSON.stringify(want) ? undefined : {
      name,
      ok: false,
      detail: `${what} of ${JSON.stringify(text).slice(0, 40)}: ${JSON.stringify(own).slice(0, 80)} not ${
        JSON.stringify(want).slice(0, 80)
      }`,
    };
  const first = codePointOffsets(text, found.offsets);
  const second = codePointOffsets(pair ?? "", found.offsets);
  const offsets = Array.from(found.ids, (_, i) => {
    const own = found.sequenceIds[i] === 1 ? second : first;
    return [own[2 * i] ?? 0, own[2 * i + 1] ?? 0];
  });
  const orNull = (list: Int32Array): (number | null)[] => Array.from(list, (x) => (x < 0 ? null : x));
  return differs("ids", [...found.ids], wanted.ids) ??
    differs("offsets", offsets, wanted.offsets) ??
    differs("wordIds", orNull(found.wordIds), wanted.wordIds) ??
    differs(
      "decoded",
      tokenizer.decode(found.ids.filter((_, i) => found.specialTokensMask[i] === 0)),
      wanted.decoded,
    ) ??
    { name, ok: true, detail: "" };
}
