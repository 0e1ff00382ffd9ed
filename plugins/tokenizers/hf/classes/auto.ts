/**
 * Combines a checkpoint's files like AutoTokenizer: tokenizer.json with its class's steps, all added tokens, the
 * special tokens that any file or the class names, and the class's settings.
 */
import { isObject } from "../../../../core/base/json.ts";
import { badValue, unsupported } from "../../../../core/base/errors.ts";
import type { Json, Named } from "../../../../core/types.ts";
import { classOf } from "./class_names.ts";
import type { MadeDefinition } from "./vocabulary_files.ts";
import {
  boundedTemplate,
  plainTemplate,
  type TokenizerClass,
  tokenizerClasses,
  type TokenizerFacts,
  wordPieceParts,
} from "./classes.ts";

/** The tokenizer files of a checkpoint; some may be missing. */
export type TokenizerFiles = Readonly<{
  /** tokenizer.json */
  definition: Named<unknown>;
  /** tokenizer_config.json */
  config: Named<unknown>;
  /** special_tokens_map.json */
  map?: Named<unknown> | undefined;
  /** added_tokens.json */
  added?: Named<unknown> | undefined;
  /** config.json */
  model?: Named<unknown> | undefined;
  /** Whether the definition was made from vocabulary files, in the absence of tokenizer.json. */
  isMade?: boolean | undefined;
}>;

/** A tokenizer as completed by its class. */
export type AutoTokenizer = Readonly<{
  definition: Named<unknown>;
  /** Special tokens by name: `pad_token` and so on, and those of particular models. */
  special: Named<string>;
  paddingSide: "left" | "right";
  truncationSide: "left" | "right";
  /** The maximum length in a file. */
  modelMaxLength: number | undefined;
  /** Whether models receive token types. */
  typeIds: boolean;
  /** Whether decoding removes blanks before punctuation. */
  cleanUp: boolean;
  /** Whether special tokens in texts are treated as ordinary text. */
  splitSpecialTokens: boolean;
  /** Chat templates in the settings, by name. */
  templates: Named<string>;
}>;

type Added = Readonly<{
  content: string;
  single_word: boolean;
  lstrip: boolean;
  rstrip: boolean;
  normalized: boolean;
  special: boolean;
}>;
type Listed = Added & Readonly<{ id: number }>;
type Token = string | Added;

const names = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"] as const;
const isNamed = (name: string): boolean => (names as readonly string[]).includes(name);
const textOf = (token: Token): string => (typeof token === "string" ? token : token.content);
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** Returns a token with its flags; special tokens are matched before normalization. */
function addedOf(value: Named<unknown>, more: Partial<Added> = {}): Added {
  const entry = { ...value, ...more };
  const special = entry.special === true;
  return {
    content: String(entry.content ?? ""),
    single_word: entry.single_word === true,
    lstrip: entry.lstrip === true,
    rstrip: entry.rstrip === true,
    normalized: typeof entry.normalized === "boolean" ? entry.normalized : !special,
    special,
  };
}

function tokenOf(value: unknown, more: Partial<Added> = {}): Token | undefined {
  if (typeof value === "string") return value;
  return isObject(value) && typeof value.content === "string" ? addedOf(value, more) : undefined;
}

/**
 * Returns the files with a definition made from vocabulary files in place of tokenizer.json, whose tokens have the
 * class's numbers.
 *
 * @throws AttuneError if no known class has steps for it.
 */
export function withVocabulary(made: MadeDefinition, others: Omit<TokenizerFiles, "definition">): TokenizerFiles {
  const files: TokenizerFiles = { ...others, definition: made.definition, isMade: true };
  const own = classFor(files);
  const model = made.definition.model as Named<Json>;
  if (!own || (model.type === "WordPiece") !== (own.build === wordPieceParts)) {
    throw unsupported(
      "hf",
      "tokenizer.json",
      `none, and ${made.from.join(" and ")}`,
      "the tokenizer's class makes nothing of these alone: write the file with transformers, by " +
        "AutoTokenizer.from_pretrained(folder).save_pretrained(folder)",
    );
  }
  const settings = settingsOf(files);
  const setting = <T extends Json>(
    name: string,
    otherwise: T,
  ): T => (name in settings ? settings[name] as T : otherwise);
  const token = (name: string): string => textOf(tokenOf(settings[name]) ?? String(own.special[name] ?? ""));
  const vocab = own.pieces?.(model.vocab as readonly Json[], { setting, token }) ?? model.vocab ?? null;
  const special = [
    ...made.pieces.map((piece): Added => addedOf({ ...piece, normalized: false })),
    ...own.extra?.({ definition: made.definition, setting, token, id: () => undefined }) ?? [],
  ];
  return {
    ...files,
    definition: { ...made.definition, model: { ...model, vocab } },
    config: {
      ...others.config,
      ...(made.pieces.length === 0 ? {} : { additional_special_tokens: special }),
      ...(model.unk_id === undefined ? {} : { unk_id: model.unk_id }),
    },
  };
}

/** Returns the class of a checkpoint's tokenizer; undefined: tokenizer.json is used as it is. */
function classFor(files: TokenizerFiles): TokenizerClass | undefined {
  const { definition, config } = files;
  const named = [config.tokenizer_class, files.model?.tokenizer_class].find((own) => typeof own === "string");
  const type = files.model?.model_type;
  const byteLevel = JSON.stringify([definition.pre_tokenizer, definition.post_processor, definition.decoder])
    .includes('"ByteLevel"');
  const { vocab, type: model } = (definition.model ?? {}) as Named<unknown>;
  // No class has one token per word, so without another class the file is used as it is; conversions say so.
  const asItIs = config.as_it_is === true || (model === "WordLevel" && named !== undefined &&
    classOf(named as string, undefined, byteLevel) === "backend");
  const className = classOf(
    named as string | undefined,
    typeof type === "string" && !asItIs ? type : undefined,
    byteLevel,
  );
  const facts = className === "backend" ? undefined : tokenizerClasses[className];
  // A vocabulary of another kind is not the class's; in particular, word pieces have no merges.
  const pieces = model === "WordPiece" && facts?.vocabulary === "map" && facts.build !== wordPieceParts;
  return facts && !pieces && (facts.vocabulary === "list" ? Array.isArray(vocab) : isObject(vocab)) ? facts : undefined;
}

/** Combines the files. `vocabulary`: ids of the model's tokens. Throws AttuneError for a side but left and right. */
export function autoTokenizer(files: TokenizerFiles, vocabulary: ReadonlyMap<string, number>): AutoTokenizer {
  const { definition } = files;
  const settings = settingsOf(files);
  const fits = classFor(files);
  const { tokens, extraTokens } = specialOf(files, settings, fits);
  const listed = tokensOf(files, vocabulary, settings, fits, [...tokens.entries()], extraTokens(fits, settings));
  const special = Object.fromEntries([...tokens].map(([name, token]) => [name, textOf(token)]));
  const built = fits
    ? builtBy(fits, files, settings, special, listed)
    : { ...definition, post_processor: definition.post_processor ?? plainTemplate };
  const { truncation, padding } = definition as { truncation?: Named<unknown>; padding?: Named<unknown> };
  const inputs = settings.model_input_names;
  return {
    definition: { ...built, added_tokens: listed },
    special,
    paddingSide: sideOf("padding_side", settings.padding_side ?? sideIn(padding) ?? fits?.paddingSide),
    truncationSide: sideOf("truncation_side", settings.truncation_side ?? sideIn(truncation)),
    modelMaxLength: [settings.model_max_length, settings.max_len].find((own) => typeof own === "number"),
    typeIds: Array.isArray(inputs) ? inputs.includes("token_type_ids") : fits?.typeIds ?? false,
    cleanUp: settings.clean_up_tokenization_spaces === true &&
      (settings.clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output === true ||
        (built.model as Named<unknown> | undefined)?.type !== "BPE"),
    splitSpecialTokens: settings.split_special_tokens === true,
    templates: templatesOf(settings.chat_template),
  };
}

/** Returns the settings of all files; the special tokens map counts if the config does not list added tokens. */
function settingsOf({ config, map }: TokenizerFiles): Named<unknown> {
  const settings: Record<string, unknown> = { ...config };
  const listed = (value: unknown): boolean => Array.isArray(value) ? value.length > 0 : isObject(value);
  if (settings.additional_special_tokens && !listed(settings.extra_special_tokens)) {
    settings.extra_special_tokens = settings.additional_special_tokens;
    delete settings.additional_special_tokens;
  }
  if (isObject(config.added_tokens_decoder) || !map) return settings;
  for (const [key, value] of Object.entries(map)) {
    if (key === "extra_special_tokens" && Array.isArray(value)) {
      settings[key] = [...listOf(settings.extra_special_tokens), ...value];
    } else settings[key] = isObject(value) && "content" in value ? addedOf(value, { special: true }) : value;
  }
  return settings;
}

/** Returns the special tokens by name, by default the class's, and those without a name. */
function specialOf(
  { definition }: TokenizerFiles,
  settings: Named<unknown>,
  facts: TokenizerClass | undefined,
): Readonly<{
  tokens: ReadonlyMap<string, Token>;
  extraTokens: (own: TokenizerClass | undefined, settings: Named<unknown>) => readonly Token[];
}> {
  const tokens = new Map<string, Token>();
  const pad = (definition.padding as Named<unknown> | null | undefined)?.pad_token;
  for (const name of names) {
    let value: unknown = name in settings ? settings[name] : facts?.special[name];
    if (name === "pad_token" && !(name in settings) && facts?.special[name] === undefined) value = pad;
    const token = tokenOf(value);
    if (token !== undefined) tokens.set(name, token);
  }
  const extra = settings.extra_special_tokens;
  const others = Object.entries(settings).filter(([name, value]) =>
    name.endsWith("_token") && !isNamed(name) && tokenOf(value) !== undefined
  );
  for (const [name, value] of [...others, ...(isObject(extra) ? Object.entries(extra) : [])]) {
    const token = tokenOf(value);
    if (token !== undefined) tokens.set(name, token);
  }
  const extraTokens = (own: TokenizerClass | undefined, settings: Named<unknown>): readonly Token[] => {
    const setting: TokenizerFacts["setting"] = (
      name,
      otherwise,
    ) => (name in settings ? settings[name] as never : otherwise);
    const listed = extra ?? settings.additional_special_tokens;
    const list = listed === undefined || listed === null
      ? own?.extra?.({ definition, setting, token: String, id: () => undefined }) ?? []
      : listOf(listed);
    return list.flatMap((value) => tokenOf(value) ?? []);
  };
  return { tokens, extraTokens };
}

/** Returns all added tokens with the ids that transformers gives them. */
function tokensOf(
  files: TokenizerFiles,
  vocabulary: ReadonlyMap<string, number>,
  settings: Named<unknown>,
  facts: TokenizerClass | undefined,
  given: readonly (readonly [string, Token])[],
  rest: readonly Token[],
): readonly Listed[] {
  const { definition } = files;
  const there = listOf(definition.added_tokens) as readonly Listed[];
  const decoder = decoderOf(files, settings);
  const byText = new Map([...decoder.values()].map((token) => [token.content, token]));
  // A class starts with the vocabulary alone; tokenizer.json as it is includes its added tokens.
  const numbered = numbering(definition, vocabulary, facts ? [] : there);
  const first = [...decoder].sort(([a], [b]) => a - b).map(([, token]) => token);
  const known = new Set([...(facts ? [] : there), ...first].map((token) => token.content));
  const specials = given.map(([name, token]) => [name, byText.get(textOf(token)) ?? token] as const);
  const namedTexts = new Set(specials.map(([, token]) => textOf(token)));
  const asAdded = (token: Token): Added =>
    typeof token === "string" ? addedOf({ content: token, special: true }) : token;
  for (const token of first) {
    numbered.add(namedTexts.has(token.content) && !token.special ? { ...token, special: true } : token);
  }
  for (const [name, token] of specials) {
    if (known.has(textOf(token))) continue;
    const flagged = typeof token === "string" ? facts?.flags?.(name) : undefined;
    numbered.add({ ...asAdded(token), ...flagged, special: true });
  }
  for (const token of rest) if (!known.has(textOf(token))) numbered.add(asAdded(token));
  if (facts?.readds) {
    for (const token of [...specials.map(([, t]) => t), ...rest]) {
      numbered.add(asAdded(textOf(token)));
    }
  }
  return numbered.list();
}

/** Returns the added tokens listed in files, by id. */
function decoderOf(
  { definition, config, added }: TokenizerFiles,
  settings: Named<unknown>,
): ReadonlyMap<number, Added> {
  const decoder = new Map<number, Added>();
  if (isObject(config.added_tokens_decoder)) {
    for (const [id, token] of Object.entries(config.added_tokens_decoder)) {
      if (isObject(token)) decoder.set(Number(id), addedOf(token));
    }
    return decoder;
  }
  // As in transformers, a token that tokenizer_config.json gives with flags is not recognized here.
  const special = new Set(
    [...names.map((name) => settings[name]), ...listOf(settings.extra_special_tokens)]
      .flatMap((value) => (isObject(value) && "__type" in value ? [] : tokenOf(value) ?? [])).map(textOf),
  );
  for (const [content, id] of Object.entries(added ?? {})) {
    const isSpecial = special.has(content);
    decoder.set(Number(id), addedOf({ content, normalized: !isSpecial, special: isSpecial }));
  }
  for (const token of listOf(definition.added_tokens) as readonly Listed[]) {
    if (isObject(token)) decoder.set(token.id, addedOf(token));
  }
  return decoder;
}

/** Assigns ids as transformers does: the vocabulary's, or the next after all others. */
function numbering(
  definition: Named<unknown>,
  vocabulary: ReadonlyMap<string, number>,
  there: readonly Listed[],
): Readonly<{ add(token: Added): void; list(): readonly Listed[] }> {
  // A list may contain a token twice.
  const list = (definition.model as Named<unknown> | undefined)?.vocab;
  const size = Array.isArray(list) ? list.length : vocabulary.size;
  const byText = new Map<string, number>();
  const byId = new Map<number, Listed>();
  let highest = -1;
  for (const token of there) {
    byText.set(token.content, token.id);
    byId.set(token.id, token);
    highest = Math.max(highest, token.id);
  }
  return {
    add: (token) => {
      if (token.content === "") return;
      const id = byText.get(token.content) ?? vocabulary.get(token.content) ?? Math.max(size, highest + 1);
      byText.set(token.content, id);
      byId.set(id, { id, ...token });
      highest = Math.max(highest, id);
    },
    list: () => [...byId.values()].sort((a, b) => a.id - b.id),
  };
}

/** Returns tokenizer.json with the class's steps in place of its own. */
function builtBy(
  facts: TokenizerClass,
  { definition, isMade = false }: TokenizerFiles,
  settings: Named<unknown>,
  special: Named<string>,
  listed: readonly Listed[],
): Named<unknown> {
  const vocab = (definition.model as Named<unknown>).vocab;
  const ids = new Map(listed.map(({ content, id }) => [content, id]));
  const context: TokenizerFacts = {
    definition,
    setting: (name, otherwise) => (name in settings ? settings[name] as never : otherwise),
    token: (name) => special[name] ?? String(facts.special[name] ?? ""),
    id: (token) =>
      ids.get(token) ??
        (isObject(vocab) && Object.hasOwn(vocab, token) ? Number(vocab[token]) : undefined),
  };
  const post: Json | undefined = facts.post?.(context);
  const isBounded = isMade && ("add_bos_token" in settings || "add_eos_token" in settings);
  return {
    ...definition,
    ...facts.build(context),
    post_processor: post ?? definition.post_processor ??
      (isBounded ? boundedTemplate(context) : facts.otherwise?.(context)) ?? plainTemplate,
  };
}

function sideIn(part: Named<unknown> | null | undefined): unknown {
  const { direction } = part ?? {};
  return typeof direction === "string" ? direction.toLowerCase() : undefined;
}

function sideOf(name: string, value: unknown): "left" | "right" {
  if (value === undefined || value === null || value === "right") return "right";
  if (value === "left") return "left";
  throw badValue("hf", `tokenizer_config.json: ${name}`, value, '"left" or "right"');
}

function templatesOf(templates: unknown): Named<string> {
  if (typeof templates === "string") return { default: templates };
  const pairs = Array.isArray(templates)
    ? templates.map((template) => [String(template?.name), template?.template] as const)
    : Object.entries(isObject(templates) ? templates : {});
  return Object.fromEntries(pairs.filter((pair): pair is readonly [string, string] => typeof pair[1] === "string"));
}
