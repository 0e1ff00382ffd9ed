/**
 * Hugging Face tokenizers: tokenizer.json over `@huggingface/tokenizers`, with the layer that the library leaves out
 * (offsets, words, truncation that keeps special tokens, windows).
 * @module
 */
import type { Tokenizer as Library } from "@huggingface/tokenizers";
import * as v from "valibot";
import { define } from "../../core/define.ts";
import { badValue, missing, unsupported } from "../../core/errors.ts";
import { sha256 } from "../../core/fingerprint.ts";
import { jsonObject } from "../../core/json.ts";
import type { EncodeOptions, Encoding, Factory, Named, Store, Tokenizer } from "../../core/types.ts";
import type { Renderer } from "./chat.ts";
import { checkDefinition } from "./definition.ts";
import { openLibrary } from "./library.ts";
import { idsOf, type Steps, type Tokens, tokensOf } from "./sequence.ts";
import { type Strategy, type Window, windowsOf } from "./truncate.ts";

/** Options of {@link hf}. */
export interface HfOptions {
  /** Replaces the checkpoint's padding side. */
  readonly paddingSide: "left" | "right" | null;
  /** Replaces the checkpoint's limit of tokens. */
  readonly modelMaxLength: number | null;
}

/** Schema of {@link HfOptions}. */
export const hfSchema: v.GenericSchema<Partial<HfOptions>, HfOptions> = v.strictObject({
  paddingSide: v.optional(v.nullable(v.picklist(["left", "right"])), null),
  modelMaxLength: v.optional(v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1))), null),
});

/** Limits above this are how tokenizers say that there is none. */
const NO_LIMIT = 1e9;

/**
 * The tokenizer of a checkpoint, from tokenizer.json and tokenizer_config.json.
 *
 * @throws AttuneError from `open` where tokenizer.json is missing or broken.
 * @example
 * ```ts
 * import { hf } from "attune/tokenizers/hf";
 * console.assert(hf({ paddingSide: "left" }).name === "hf");
 * ```
 */
export const hf: Factory<"tokenizer", Partial<HfOptions>> = define({
  kind: "tokenizer",
  name: "hf",
  schema: hfSchema,
  create: (options) => ({ open: (files) => openTokenizer(files, options) }),
});

type Config = Readonly<Record<string, unknown>>;

async function openTokenizer(files: Store, options: HfOptions): Promise<Tokenizer> {
  const file = await files.get("tokenizer.json");
  if (!file) throw missing("hf", "tokenizer.json", "the model directory");
  const definition = jsonObject("hf", "tokenizer.json", file.bytes, { anyKey: true });
  const settings = await files.get("tokenizer_config.json");
  const config: Config = settings ? jsonObject("hf", "tokenizer_config.json", settings.bytes, { anyKey: true }) : {};
  checkDefinition(definition);
  const { library, steps } = openLibrary(definition, config);
  const special = specialIds(library, config);
  const template = await files.get("chat_template.jinja");
  const chatTemplate = template ? new TextDecoder().decode(template.bytes) : templateOf(config);
  // Template engines are only loaded for who has a template.
  const chats = chatTemplate === undefined ? undefined : await import("./chat.ts");
  let renderer: Renderer | undefined;
  const post = postProcessorOf(library);
  const limit = options.modelMaxLength ??
    (typeof config.model_max_length === "number" && config.model_max_length < NO_LIMIT
      ? config.model_max_length
      : undefined);

  const encode = (text: string | readonly string[], o: EncodeOptions = {}): [Encoding, ...Encoding[]] => {
    const places = o.offsets ?? true;
    const a = sequenceOf(library, steps, text, places);
    const b = o.textPair === undefined || o.textPair.length === 0
      ? undefined
      : sequenceOf(library, steps, o.textPair, places);
    const adds = o.addSpecialTokens ?? true;
    const strategy: Strategy = o.truncation === true
      ? "longest_first"
      : o.truncation === false || o.truncation === undefined
      ? "do_not_truncate"
      : o.truncation;
    const room = (o.maxLength ?? limit ?? Infinity) - post.added(b !== undefined, adds);
    const windows = windowsOf(a.ids.length, b?.ids.length, {
      strategy,
      room,
      stride: o.stride ?? 0,
      overflow: o.overflow ?? false,
    });
    return windows.map((w) => assemble(post.apply(w, adds), w, a, b)) as [Encoding, ...Encoding[]];
  };
  const { length: vocabSize } = (library as unknown as { model: { vocab: readonly string[] } }).model.vocab;
  return {
    vocabSize,
    special,
    paddingSide: options.paddingSide ?? (config.padding_side === "left" ? "left" : "right"),
    modelMaxLength: limit,
    fingerprint: await sha256(new TextDecoder().decode(file.bytes) + JSON.stringify(config)),
    encode,
    decode: (ids, o = {}) => {
      const list = Array.from(ids);
      return list.length === 0 ? "" : library.decode(list, {
        skip_special_tokens: o.skipSpecialTokens ?? false,
        clean_up_tokenization_spaces: false,
      });
    },
    chat: (messages, o = {}) => {
      if (chatTemplate === undefined || !chats) {
        throw unsupported("hf", "messages", "chat rows", "the tokenizer has no chat template");
      }
      if (o.refuseSpecialTokens) refuseSpecial(messages, library);
      renderer ??= chats.chatRenderer(chatTemplate, specialTokens(config));
      return renderer(messages, o.addGenerationPrompt ?? false);
    },
  };
}

/** What a user writes is no part of the template: it may not end a turn, or begin another's. */
function refuseSpecial(messages: readonly Named<string>[], library: Library): void {
  const { special_tokens: special } = library as unknown as { special_tokens: readonly string[] };
  messages.forEach((message, i) => {
    for (const [field, text] of Object.entries(message)) {
      const found = special.find((token) => token !== "" && text.includes(token));
      if (found !== undefined) throw badValue("hf", `messages.${i}.${field}`, found, "text without special tokens");
    }
  });
}

function sequenceOf(library: Library, steps: Steps, text: string | readonly string[], places: boolean): Tokens {
  if (typeof text === "string") return places ? tokensOf(library, steps, text) : idsOf(library, steps, text);
  // Words that are given: each is tokenized alone, and counts as one.
  const all: Tokens = { ids: [], offsets: [], words: [], ...(steps.keepsFirst ? { firsts: [] } : {}) };
  text.forEach((word, i) => {
    const own = tokensOf(library, steps, word);
    all.ids.push(...own.ids);
    all.offsets.push(...own.offsets);
    all.firsts?.push(...own.firsts ?? []);
    all.words.push(...own.ids.map(() => i));
  });
  return all;
}

/** A token of an assembled sequence: a special one's id, or a place in text 0 or 1. */
type Part = Readonly<{ id: number; type: number }> | Readonly<{ sequence: 0 | 1; at: number; type: number }>;
type PostProcessor = Readonly<
  { added(pair: boolean, adds: boolean): number; apply(window: Window, adds: boolean): Part[] }
>;

// The library's post-processors work on token strings; marks in their place say what stands where.
function postProcessorOf(library: Library): PostProcessor {
  const process = library.post_processor as unknown as
    | ((a: string[], b: string[] | null, adds: boolean) => { tokens: string[]; token_type_ids?: number[] })
    | null;
  const oneType =
    (library.post_processor as { config?: { type?: string } } | null)?.config?.type === "RobertaProcessing";
  const mark = (sequence: 0 | 1, at: number): string => `\u0001${sequence}:${at}`;
  const counts = new Map<string, number>();
  const run = (a: string[], b: string[] | null, adds: boolean): { tokens: string[]; token_type_ids?: number[] } => {
    const made = process ? process(a, b, adds) : { tokens: [...a, ...(b ?? [])] };
    // RoBERTa knows one type of segment, whatever the library says of its second text.
    if (oneType) delete made.token_type_ids;
    // The library's byte-level post-processor forgets the second text.
    return b && !made.tokens.some((t) => t.startsWith("\u00011")) ? { tokens: [...made.tokens, ...b] } : made;
  };
  return {
    added: (pair, adds) => {
      const key = `${pair} ${adds}`;
      const known = counts.get(key) ??
        run([mark(0, 0)], pair ? [mark(1, 0)] : null, adds).tokens.length - (pair ? 2 : 1);
      counts.set(key, known);
      return known;
    },
    apply: ({ a, b }, adds) => {
      const marks = (sequence: 0 | 1, [from, to]: readonly [number, number]): string[] =>
        Array.from({ length: to - from }, (_, i) => mark(sequence, from + i));
      const { tokens, token_type_ids: types } = run(marks(0, a), b ? marks(1, b) : null, adds);
      return tokens.map((token, i): Part => {
        const type = types?.[i] ?? 0;
        if (!token.startsWith("\u0001")) return { id: library.token_to_id(token) ?? 0, type };
        return { sequence: token[1] === "1" ? 1 : 0, at: Number(token.slice(3)), type };
      });
    },
  };
}

function assemble(parts: readonly Part[], window: Window, a: Tokens, b: Tokens | undefined): Encoding {
  const n = parts.length;
  const encoding: Encoding = {
    ids: new Int32Array(n),
    typeIds: new Int32Array(n),
    specialTokensMask: new Int32Array(n),
    offsets: new Int32Array(2 * n),
    wordIds: new Int32Array(n).fill(-1),
    sequenceIds: new Int32Array(n).fill(-1),
  };
  parts.forEach((part, i) => {
    encoding.typeIds[i] = part.type;
    if ("id" in part) {
      encoding.ids[i] = part.id;
      encoding.specialTokensMask[i] = 1;
      return;
    }
    const own = part.sequence === 0 ? a : b ?? a;
    encoding.ids[i] = own.ids[part.at] ?? 0;
    const first = part.at === (part.sequence === 0 ? window.a : window.b)?.[0];
    encoding.offsets.set((first ? own.firsts : undefined)?.[part.at] ?? own.offsets[part.at] ?? [0, 0], 2 * i);
    encoding.wordIds[i] = own.words[part.at] ?? -1;
    encoding.sequenceIds[i] = part.sequence;
  });
  return encoding;
}

/** Offsets in code points, as Python counts them, from UTF-16 units. */
export function codePointOffsets(text: string, offsets: ArrayLike<number>): Int32Array {
  const points = new Int32Array(text.length + 1);
  let count = 0;
  for (let i = 0; i < text.length; i++) {
    points[i] = count;
    const code = text.charCodeAt(i);
    // The second half of a pair belongs to the same code point.
    if (code < 0xdc00 || code > 0xdfff) count++;
    else points[i] = count - 1;
  }
  points[text.length] = count;
  return Int32Array.from({ length: offsets.length }, (_, i) => {
    const at = offsets[i] ?? 0;
    const low = text.charCodeAt(at);
    return (points[at] ?? 0) + (i % 2 === 1 && low >= 0xdc00 && low <= 0xdfff ? 1 : 0);
  });
}

function specialIds(library: Library, config: Config): Named<number> {
  const ids: Record<string, number> = {};
  for (const [name, token] of Object.entries(specialTokens(config))) {
    const id = library.token_to_id(token);
    if (id !== undefined) ids[name.replace(/_token$/, "")] = id;
  }
  return ids;
}

function templateOf(config: Config): string | undefined {
  const given = config.chat_template;
  if (typeof given === "string") return given;
  const list = Array.isArray(given) ? given as readonly { name?: unknown; template?: unknown }[] : [];
  const found = list.find((t) => t.name === "default") ?? list[0];
  return typeof found?.template === "string" ? found.template : undefined;
}

/** Special tokens as templates name them. */
function specialTokens(config: Config): Named<string> {
  const tokens: Record<string, string> = {};
  for (const name of ["pad", "unk", "cls", "sep", "mask", "bos", "eos"]) {
    const given = config[`${name}_token`];
    const token = typeof given === "string" ? given : (given as { content?: unknown } | undefined)?.content;
    if (typeof token === "string") tokens[`${name}_token`] = token;
  }
  return tokens;
}
