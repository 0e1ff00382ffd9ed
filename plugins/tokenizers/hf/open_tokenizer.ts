/** Opens a checkpoint's tokenizer from its files. */
import { AttuneError, badFile, badValue, missing, unsupported } from "../../../core/base/errors.ts";
import { joinBytes, jsonBytes } from "../../../core/base/bytes.ts";
import { sha256 } from "../../../core/base/sha256.ts";
import { jsonObject } from "../../../core/base/json.ts";
import type { EncodeOptions, Encoding, Named, Store, Tokenizer } from "../../../core/types.ts";
import { type AutoTokenizer, autoTokenizer, type TokenizerFiles, withVocabulary } from "./classes/auto.ts";
import type { Renderer } from "./chat/chat.ts";
import { checkDefinition } from "./definition.ts";
import type { HfOptions } from "./options.ts";
import { withNewTokens } from "./new_tokens.ts";
import type { Vocabulary } from "./piece.ts";
import { type Pipeline, pipelineOf, type Tokens } from "./pipeline.ts";
import type { Stretch } from "./post_processors.ts";
import { type Strategy, windowsOf } from "../../../blocks/tokenizer/mod.ts";

/** A larger limit means that there is none. */
const NO_LIMIT = 1e9;

type Config = Readonly<Record<string, unknown>>;

/** Opens the tokenizer in a checkpoint's files. Throws AttuneError if one is missing or damaged. */
export async function openTokenizer(files: Store, options: HfOptions): Promise<Tokenizer> {
  const { bytes: read, ...others } = await filesOf(files);
  const { definition: given } = others;
  const vocabulary = checkDefinition(given);
  const definition = withNewTokens(given, vocabulary.ids, options.addTokens);
  const bytes = definition === given ? read : jsonBytes(definition);
  const auto = autoTokenizer({ ...others, definition }, vocabulary.ids);
  const pipeline = await opened(auto, vocabulary);
  const special = specialIds(pipeline, auto.special);
  const templates = await templatesIn(files, auto.templates);
  // The template engine is only loaded if there is a template.
  const chats = Object.keys(templates).length === 0 ? undefined : await import("./chat/chat.ts");
  const renderers = new Map<string, Renderer>();
  const { post } = pipeline;
  const limit = options.modelMaxLength ??
    (auto.modelMaxLength !== undefined && auto.modelMaxLength < NO_LIMIT ? auto.modelMaxLength : undefined);

  const encode = (text: string | readonly string[], o: EncodeOptions = {}): [Encoding, ...Encoding[]] => {
    const a = pipeline.encode(text);
    // An empty second text counts, too: it has its own special tokens.
    const b = o.textPair === undefined ? undefined : pipeline.encode(o.textPair);
    const adds = o.addSpecialTokens ?? true;
    const strategy: Strategy = o.truncation === true
      ? "longest_first"
      : o.truncation === false || o.truncation === undefined
      ? "do_not_truncate"
      : o.truncation;
    const room = (o.maxLength ?? limit ?? Infinity) - (adds ? post.added(b !== undefined) : 0);
    const windows = windowsOf(a.ids.length, b?.ids.length, {
      strategy,
      room,
      stride: o.stride ?? 0,
      overflow: o.returnOverflowingTokens ?? false,
      side: auto.truncationSide,
    });
    const types = o.typeIds ?? auto.typeIds;
    return windows.map((w) => {
      const texts = [[stretchOf(a, 0, w.a)], ...(b && w.b ? [[stretchOf(b, 1, w.b)]] : [])];
      return assembled(post.apply(texts, adds).flat(), types);
    }) as [Encoding, ...Encoding[]];
  };
  return {
    vocabSize: pipeline.vocabSize,
    ...(definition === given ? {} : { changed: { "tokenizer.json": bytes } }),
    specialTokenIds: special,
    paddingSide: options.paddingSide ?? auto.paddingSide,
    typeIds: auto.typeIds,
    modelMaxLength: limit,
    fingerprint: await sha256(joinBytes([bytes, new TextEncoder().encode(fingerprinted(others))])),
    encode,
    decode: (ids, o = {}) => {
      const text = pipeline.decode(Array.from(ids), o.skipSpecialTokens ?? false);
      return auto.cleanUp ? cleanedUp(text) : text;
    },
    applyChatTemplate: (messages, o = {}) => {
      const { tools, variables } = o;
      // Some checkpoints have a separate template for tools.
      const template = (tools && templates.tool_use) ?? templates.default ?? Object.values(templates)[0];
      if (template === undefined || !chats) {
        throw unsupported("hf", "messages", "chat rows", "the tokenizer has no chat template");
      }
      if (o.refuseSpecialTokens) refuseSpecial({ messages, tools, variables }, specialTexts(pipeline));
      const renderer = renderers.get(template) ?? chats.chatRenderer(template, auto.special);
      renderers.set(template, renderer);
      return renderer(messages, o.addGenerationPrompt ?? false, tools, variables);
    },
  };
}

/** Reads a checkpoint's tokenizer files, with the bytes of tokenizer.json or of the files in its place. */
async function filesOf(files: Store): Promise<TokenizerFiles & Readonly<{ bytes: Uint8Array }>> {
  const others = await settingsIn(files);
  const file = await files.get("tokenizer.json");
  if (file) {
    return {
      ...others,
      definition: jsonObject("hf", "tokenizer.json", file.bytes, { anyKey: true }),
      bytes: file.bytes,
    };
  }
  const { definitionFromFiles } = await import("./classes/vocabulary_files.ts");
  const made = await definitionFromFiles(files);
  if (!made) throw missing("hf", "tokenizer.json", "the model directory");
  return { ...withVocabulary(made, others), bytes: joinBytes(made.bytes) };
}

/** Refuses special tokens in users' texts, which could end a turn or begin another one. */
function refuseSpecial(texts: unknown, special: readonly string[], path = ""): void {
  if (typeof texts === "string") {
    const forbidden = special.find((token) => texts.includes(token));
    if (forbidden !== undefined) throw badValue("hf", path, forbidden, "text without special tokens");
  } else if (typeof texts === "object" && texts !== null) {
    for (const [key, own] of Object.entries(texts)) refuseSpecial(own, special, path === "" ? key : `${path}.${key}`);
  }
}

function specialTexts({ added }: Pipeline): string[] {
  return [...added.byContent.values()].filter((token) => token.special).map((token) => token.content);
}

/** Returns chat templates by name; those in files have precedence over those in the settings. */
async function templatesIn(files: Store, others: Named<string>): Promise<Named<string>> {
  const text = async (name: string): Promise<string | undefined> => {
    const file = await files.get(name);
    return file && new TextDecoder().decode(file.bytes);
  };
  const own = {
    default: await text("chat_template.jinja"),
    tool_use: await text("additional_chat_templates/tool_use.jinja"),
  };
  const present = Object.entries(own).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return present.length > 0 ? Object.fromEntries(present) : others;
}

/** Creates the pipeline of a tokenizer.json. Throws AttuneError if a part is invalid. */
async function opened(auto: AutoTokenizer, vocabulary: Vocabulary): Promise<Pipeline> {
  try {
    return await pipelineOf(auto.definition, vocabulary, auto.splitSpecialTokens);
  } catch (cause) {
    if (cause instanceof AttuneError) throw cause;
    throw badFile("hf", "tokenizer.json", cause instanceof Error ? cause.message : String(cause));
  }
}

/** Returns tokens `from` to `to` of text 0 or 1. */
function stretchOf(tokens: Tokens, sequence: 0 | 1, [from, to]: readonly [number, number]): Stretch {
  const offsets: number[] = [];
  for (let i = from; i < to; i++) offsets.push(tokens.starts[i] as number, tokens.ends[i] as number);
  const ids = tokens.ids.slice(from, to);
  return { ids, types: ids.map(() => sequence), special: false, source: { sequence, tokens, from }, offsets };
}

function assembled(stretches: readonly Stretch[], withTypes: boolean): Encoding {
  const n = stretches.reduce((sum, { ids }) => sum + ids.length, 0);
  const encoding: Encoding = {
    ids: new Int32Array(n),
    typeIds: new Int32Array(n),
    specialTokensMask: new Int32Array(n),
    offsets: new Int32Array(2 * n),
    wordIds: new Int32Array(n).fill(-1),
    sequenceIds: new Int32Array(n).fill(-1),
  };
  let at = 0;
  for (const { ids, types, special, source, offsets } of stretches) {
    encoding.ids.set(ids, at);
    if (withTypes) encoding.typeIds.set(types, at);
    encoding.offsets.set(offsets, 2 * at);
    if (special) encoding.specialTokensMask.fill(1, at, at + ids.length);
    if (source) {
      encoding.wordIds.set(source.tokens.words.slice(source.from, source.from + ids.length), at);
      encoding.sequenceIds.fill(source.sequence, at, at + ids.length);
    }
    at += ids.length;
  }
  return encoding;
}

function specialIds(pipeline: Pipeline, special: Named<string>): Named<number> {
  const ids: Record<string, number> = {};
  for (const [name, token] of Object.entries(special)) {
    const id = pipeline.idOf(token);
    if (id !== undefined) ids[name.replace(/_token$/, "")] = id;
  }
  return ids;
}

/** Reads the files with settings, besides tokenizer.json. */
async function settingsIn(files: Store): Promise<Omit<TokenizerFiles, "definition">> {
  const read = async (name: string): Promise<Config | undefined> => {
    const file = await files.get(name);
    return file && jsonObject("hf", name, file.bytes, { anyKey: true });
  };
  return {
    config: await read("tokenizer_config.json") ?? {},
    map: await read("special_tokens_map.json"),
    added: await read("added_tokens.json"),
    model: await read("config.json"),
  };
}

/** Returns the settings that affect ids, as a part of the fingerprint. */
function fingerprinted({ config, map, added }: Omit<TokenizerFiles, "definition">): string {
  return [config, map, added].filter((own) => own !== undefined).map((own) => JSON.stringify(own)).join("");
}

/** Removes blanks before English punctuation from decoded text, as transformers does. */
function cleanedUp(text: string): string {
  return [" .", " ?", " !", " ,"].reduce((own, from) => own.replaceAll(from, from.slice(1)), text)
    .replaceAll(" ' ", "'")
    .replace(/ (?=n't)/g, "").replace(/ (?='m)/g, "").replace(/ (?='(?:s|ve|re))/g, "");
}
