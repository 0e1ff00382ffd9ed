/** tokenizers/*.json of the reference: ids, offsets, words, decoded texts, windows. */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { EncodeOptions, Encoding, Tokenizer } from "../../core/types.ts";
import { codePointOffsets } from "../../blocks/tokenizer/mod.ts";
import { hf } from "../../plugins/tokenizers/hf.ts";
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
  let encodings: readonly Encoding[];
  try {
    encodings = tokenizer.encode(one.text, {
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
  if (encodings.length !== wanted.length) {
    return { name, ok: false, detail: `${encodings.length} windows, not ${wanted.length}` };
  }
  for (const [i, w] of wanted.entries()) {
    const item = compare(name, tokenizer, one.text, one.textPair, encodings[i] as Encoding, w, parts);
    if (!item.ok) return item;
  }
  return { name, ok: true, detail: "" };
}

function compare(
  name: string,
  tokenizer: Tokenizer,
  text: string,
  pair: string | undefined,
  encoding: Encoding,
  wanted: Expected,
  parts: ReadonlySet<string>,
): Item {
  const differs = (what: string, actual: unknown, want: unknown): Item | undefined =>
    !parts.has(what) || want === undefined || JSON.stringify(actual) === JSON.stringify(want) ? undefined : {
      name,
      ok: false,
      detail: `${what} of ${JSON.stringify(text).slice(0, 40)}: ${JSON.stringify(actual).slice(0, 80)} not ${
        JSON.stringify(want).slice(0, 80)
      }`,
    };
  const first = codePointOffsets(text, encoding.offsets);
  const second = codePointOffsets(pair ?? "", encoding.offsets);
  const offsets = Array.from(encoding.ids, (_, i) => {
    const source = encoding.sequenceIds[i] === 1 ? second : first;
    return [source[2 * i] ?? 0, source[2 * i + 1] ?? 0];
  });
  const orNull = (list: Int32Array): (number | null)[] => Array.from(list, (x) => (x < 0 ? null : x));
  return differs("ids", [...encoding.ids], wanted.ids) ??
    differs("offsets", offsets, wanted.offsets) ??
    differs("wordIds", orNull(encoding.wordIds), wanted.wordIds) ??
    differs(
      "decoded",
      tokenizer.decode(encoding.ids.filter((_, i) => encoding.specialTokensMask[i] === 0)),
      wanted.decoded,
    ) ??
    { name, ok: true, detail: "" };
}
