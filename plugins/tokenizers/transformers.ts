/**
 * Tokenizers of transformers.js, whose AutoTokenizer computes the ids.
 * @module
 */
import type * as Library from "@huggingface/transformers";
import { define } from "../../core/spec/define.ts";
import { unsupported } from "../../core/base/errors.ts";
import { sha256 } from "../../core/base/sha256.ts";
import { notInstalled } from "../../core/base/not_installed.ts";
import type { EncodeOptions, Encoding, Factory, Store, Tokenizer } from "../../core/types.ts";
import { hf, type HfOptions, hfSchema } from "./hf.ts";
import { windowsOf } from "../../blocks/tokenizer/mod.ts";

/**
 * The tokenizer of the package `@huggingface/transformers`, for comparisons or for serving with it. Settings,
 * truncation, windows and chat templates are those of `hf`. It has no offsets, so what needs them (tags, spans,
 * learning only the assistant's turns) is refused.
 *
 * @throws AttuneError from `open` if the package is not installed, or does not open the checkpoint's files.
 * @example
 * ```ts
 * import { transformers } from "attune/tokenizers/transformers";
 * console.assert(transformers({ paddingSide: "left" }).name === "transformers");
 * ```
 */
export const transformers: Factory<"tokenizer", Partial<HfOptions>> = define({
  kind: "tokenizer",
  name: "transformers",
  schema: hfSchema,
  create: (options: HfOptions) => ({ open: async (files) => await openTokenizer(files, options) }),
});

type AutoTokenizer = Awaited<ReturnType<typeof Library.AutoTokenizer.from_pretrained>>;

const absent = notInstalled({
  plugin: "transformers",
  name: "@huggingface/transformers",
  purpose: 'The tokenizer "transformers"',
  install: "npm install --ignore-scripts @huggingface/transformers@4",
});

async function openTokenizer(files: Store, options: HfOptions): Promise<Tokenizer> {
  const base = await hf(options).open(files);
  const auto = await opened(files, base.changed ?? {});
  const idsOf = (text: string | readonly string[], options: object): number[] => {
    if (typeof text !== "string") {
      throw unsupported("transformers", "tokens", "words", "it takes only texts; the tokenizer hf takes words");
    }
    return [...auto(text, { ...options, return_tensor: false }).input_ids as unknown as number[]];
  };
  const encode = (text: string | readonly string[], o: EncodeOptions = {}): [Encoding, ...Encoding[]] => {
    const plain = { add_special_tokens: false };
    const a = idsOf(text, plain);
    const b = o.textPair === undefined ? undefined : idsOf(o.textPair, plain);
    // The library ignores an empty second text: another one shows where its special tokens are.
    const pair = b?.length === 0 ? "." : o.textPair;
    const shown = pair === undefined ? undefined : idsOf(pair, plain);
    const frame = o.addSpecialTokens === false
      ? frameOf([...a, ...shown ?? []], a, shown)
      : frameOf(idsOf(text, pair === undefined ? {} : { text_pair: pair }), a, shown);
    const added = frame.before.length + frame.between.length + frame.behind.length;
    const windows = windowsOf(a.length, b?.length, {
      strategy: o.truncation === true ? "longest_first" : o.truncation || "do_not_truncate",
      room: (o.maxLength ?? base.modelMaxLength ?? Infinity) - added,
      stride: o.stride ?? 0,
      overflow: o.returnOverflowingTokens ?? false,
    });
    const types = (o.typeIds ?? base.typeIds ?? true) && b !== undefined;
    return windows.map((w) => {
      const texts = [a.slice(...w.a), b && w.b ? b.slice(...w.b) : []] as const;
      return encodingOf(frame, texts, types);
    }) as [Encoding, ...Encoding[]];
  };
  return {
    ...base,
    fingerprint: await sha256(`transformers.js ${base.fingerprint}`),
    encode,
    decode: (ids, o = {}) => auto.decode(Array.from(ids), { skip_special_tokens: o.skipSpecialTokens ?? false }),
  };
}

/** The special tokens before, between and after the texts' own ids. */
type Frame = Readonly<{ before: readonly number[]; between: readonly number[]; behind: readonly number[] }>;

function frameOf(whole: readonly number[], a: readonly number[], b: readonly number[] | undefined): Frame {
  const at = (part: readonly number[], from: number): number => {
    for (let i = from; i + part.length <= whole.length; i++) if (part.every((id, j) => id === whole[i + j])) return i;
    throw unsupported("transformers", "special tokens", whole, "they change the ids of the text between them");
  };
  const first = at(a, 0);
  const end = first + a.length;
  if (b === undefined) return { before: whole.slice(0, first), between: [], behind: whole.slice(end) };
  const second = at(b, end);
  return {
    before: whole.slice(0, first),
    between: whole.slice(end, second),
    behind: whole.slice(second + b.length),
  };
}

function encodingOf(frame: Frame, [a, b]: readonly [readonly number[], readonly number[]], types: boolean): Encoding {
  const parts: readonly (readonly [ids: readonly number[], special: number, type: number, sequence: number])[] = [
    [frame.before, 1, 0, -1],
    [a, 0, 0, 0],
    [frame.between, 1, 0, -1],
    [b, 0, 1, 1],
    [frame.behind, 1, types ? 1 : 0, -1],
  ];
  const of = (value: (part: typeof parts[number]) => number): Int32Array =>
    Int32Array.from(parts.flatMap((part) => part[0].map(() => value(part))));
  const none = (): never => {
    throw unsupported("transformers", "offsets", "transformers.js", 'it computes none; use the tokenizer "hf"');
  };
  return {
    ids: Int32Array.from(parts.flatMap(([ids]) => ids)),
    typeIds: of(([, , type]) => (types ? type : 0)),
    specialTokensMask: of(([, special]) => special),
    sequenceIds: of(([, , , sequence]) => sequence),
    get offsets() {
      return none();
    },
    get wordIds() {
      return none();
    },
  };
}

/** Serializes openings, since the library's settings are global. */
let last: Promise<unknown> = Promise.resolve();
let count = 0;

/** Opens an AutoTokenizer over a store, which replaces the library's cache of files. */
function opened(files: Store, changed: Readonly<Record<string, Uint8Array>>): Promise<AutoTokenizer> {
  const open = async (): Promise<AutoTokenizer> => {
    // Not a literal name, or bundlers would include the whole library.
    const library: typeof Library = await import(["@huggingface", "transformers"].join("/")).catch(absent);
    const { AutoTokenizer, env } = library;
    const name = `attune/${++count}`;
    const { useCustomCache, customCache } = env;
    const match = async (key: string): Promise<Response | undefined> => {
      const path = /\.?[\w.-]+$/.exec(key)?.[0] ?? "";
      if (!key.includes(name)) return undefined;
      const bytes = changed[path] ?? (await files.get(path))?.bytes;
      return bytes && new Response(new Uint8Array(bytes));
    };
    Object.assign(env, { useCustomCache: true, customCache: { match, put: async () => {} } });
    try {
      return await AutoTokenizer.from_pretrained(name, { local_files_only: true });
    } finally {
      Object.assign(env, { useCustomCache, customCache });
    }
  };
  const next = last.then(open, open);
  last = next.catch(() => {});
  return next;
}
