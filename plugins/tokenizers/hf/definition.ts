/** Validates a tokenizer.json before it is used. */
import { isObject } from "../../../core/base/json.ts";
import { badFile, show } from "../../../core/base/errors.ts";
import type { Vocabulary } from "./piece.ts";

type Definition = Readonly<Record<string, unknown>>;

/** Larger ids are refused, since vocabularies are arrays. */
const MAX_ID = 10_000_000;

/** Limits of patterns and tokens, in characters, and of the parts of a sequence. */
const [MAX_PATTERN, MAX_TOKEN, MAX_PARTS] = [4096, 4096, 256];

const wrong = (problem: string): Error => badFile("hf", "tokenizer.json", problem);
const isId = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= MAX_ID;

/** Checks types and ranges of all fields; returns the model's tokens. Throws AttuneError that names what is invalid. */
export function checkDefinition(definition: Definition): Vocabulary {
  const { model, added_tokens: added } = definition;
  if (!isObject(model)) throw wrong("has no model");
  const vocabulary = vocabularyOf(model);
  checkModel(model, vocabulary);
  if (added !== undefined && added !== null) checkAdded(added, vocabulary);
  for (const part of ["normalizer", "pre_tokenizer", "post_processor", "decoder"]) {
    if (definition[part] !== undefined && definition[part] !== null) checkPart(definition[part], part);
  }
  return vocabulary;
}

/** Returns the model's tokens for byte fallback, if it has any; undefined for a byte without token. */
export function byteTokens(
  { byte_fallback: fallsBack }: Definition,
  vocabulary: ReadonlyMap<string, number>,
): readonly (number | undefined)[] | undefined {
  if (fallsBack !== true) return undefined;
  return Array.from({ length: 256 }, (_, i) => vocabulary.get(`<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`));
}

/** Returns the tokens in a model's vocabulary. */
function vocabularyOf({ vocab }: Definition): Vocabulary {
  const ids = new Map<string, number>();
  const names: string[] = [];
  const add = (token: unknown, id: unknown): void => {
    if (typeof token !== "string" || token.length > MAX_TOKEN) throw wrong(`has ${show(token)} as a token`);
    if (!isId(id)) throw wrong(`token ${show(token)} has id ${show(id)}`);
    ids.set(token, Number(id));
    if (names[Number(id)] !== undefined) throw wrong(`two tokens have id ${id}, one is ${show(token)}`);
    names[Number(id)] = token;
  };
  // Unigram vocabularies are lists of tokens with scores; others map tokens to ids.
  if (Array.isArray(vocab)) {
    vocab.forEach((entry: unknown, id) => {
      if (!Array.isArray(entry) || entry.length !== 2 || !Number.isFinite(entry[1])) {
        throw wrong(`has ${show(entry)} in its vocabulary, where a token and its score were expected`);
      }
      add(entry[0], id);
    });
  } else if (isObject(vocab)) { for (const token in vocab) add(token, vocab[token]); }
  else throw wrong("its model has no vocabulary");
  if (ids.size === 0) throw wrong("its vocabulary is empty");
  return { ids, names };
}

const kinds: readonly unknown[] = ["BPE", "Unigram", "WordPiece", "WordLevel"];

function checkModel(model: Definition, { ids }: Vocabulary): void {
  const { type, unk_id: unknownId, unk_token: unknown, merges } = model;
  if (type !== undefined && type !== null && !kinds.includes(type)) throw wrong(`its model has type ${show(type)}`);
  for (const field of ["continuing_subword_prefix", "end_of_word_suffix", "unk_token"]) {
    const value = model[field];
    if (value !== undefined && value !== null && (typeof value !== "string" || value.length > MAX_TOKEN)) {
      throw wrong(`its model has ${field} ${show(value)}`);
    }
  }
  const most = model.max_input_chars_per_word;
  if (
    most !== undefined && most !== null && !(Number.isSafeInteger(most) && Number(most) >= 1 && Number(most) <= 1000)
  ) {
    throw wrong(`its model has max_input_chars_per_word ${show(most)}; 1 to 1000 are read`);
  }
  if (type === "Unigram" || (type === undefined && Array.isArray(model.vocab))) {
    if (!Array.isArray(model.vocab)) throw wrong("its Unigram model has no list of tokens");
    if (unknownId !== undefined && unknownId !== null && !(isId(unknownId) && Number(unknownId) < model.vocab.length)) {
      throw wrong(`its model has unk_id ${show(unknownId)}, which is no token`);
    }
  } else if (Array.isArray(model.vocab)) throw wrong(`its ${type} model has a list as its vocabulary`);
  if (type === "WordPiece" && typeof unknown === "string" && !ids.has(unknown)) {
    throw wrong(`its model has unk_token ${show(unknown)}, which is no token`);
  }
  if (type !== "BPE" && merges === undefined) return;
  if (!Array.isArray(merges)) throw wrong("its BPE model has no list of merges");
  if (model.byte_fallback === true) {
    for (let byte = 0; byte < 256; byte++) {
      const token = `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
      if (!ids.has(token)) throw wrong(`falls back to bytes but lacks ${token}`);
    }
  }
}

function checkAdded(added: unknown, { names }: Vocabulary): void {
  if (!Array.isArray(added)) throw wrong("its added_tokens is not a list");
  const places = new Map<number, string>();
  for (const token of added) {
    if (!isObject(token) || typeof token.content !== "string" || token.content === "") {
      throw wrong(`has ${show(token)} among its added_tokens`);
    }
    const { content, id } = token;
    if (content.length > MAX_TOKEN) throw wrong(`has an added token of ${content.length} characters`);
    if (!isId(id)) throw wrong(`added token ${show(content)} has id ${show(id)}`);
    const other = names[Number(id)] ?? places.get(Number(id)) ?? content;
    if (other !== content) throw wrong(`two tokens have id ${id}: ${show(other)} and ${show(content)}`);
    places.set(Number(id), content);
    for (const flag of ["single_word", "lstrip", "rstrip", "normalized", "special"]) {
      const value = token[flag];
      if (value !== undefined && typeof value !== "boolean") throw wrong(`added token ${show(content)}: ${flag}`);
    }
  }
}

/** Fields for the parts of a sequence, of all kinds. */
const lists = ["normalizers", "pretokenizers", "processors", "decoders"];

const behaviors: readonly unknown[] = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"];
const flags = ["invert", "add_prefix_space", "trim_offsets", "use_regex", "individual_digits", "cleanup", "split"];

function checkPart(part: unknown, where: string): void {
  if (!isObject(part) || typeof part.type !== "string") throw wrong(`its ${where} is ${show(part)}`);
  const { type, pattern } = part;
  if (type === "Sequence") {
    const inner = lists.map((list) => part[list]).find((list) => list !== undefined);
    if (!Array.isArray(inner) || inner.length > MAX_PARTS) throw wrong(`its ${where} is a sequence of ${show(inner)}`);
    return inner.forEach((own) => checkPart(own, where));
  }
  for (const field of ["content", "prepend", "replacement", "delimiter", "precompiled_charsmap"]) {
    const value = part[field];
    if (value !== undefined && value !== null && typeof value !== "string") {
      throw wrong(`its ${where} ${type} has ${field} ${show(value)}`);
    }
  }
  for (const field of ["content", "prepend", "replacement"]) {
    if (String(part[field] ?? "").length > MAX_TOKEN) throw wrong(`its ${where} ${type} has a long ${field}`);
  }
  // Pieces are split at a single character.
  for (const field of ["replacement", "delimiter"]) {
    const value = part[field];
    if (typeof value === "string" && [...value].length !== 1) {
      throw wrong(`its ${where} ${type} has ${field} ${show(value)}`);
    }
  }
  const { length } = part;
  if (type === "FixedLength" && length !== undefined && !(isId(length) && Number(length) >= 1)) {
    throw wrong(`its ${where} ${type} has length ${show(length)}`);
  }
  const { behavior } = part;
  if (behavior !== undefined && behavior !== null && !behaviors.includes(behavior)) {
    throw wrong(`its ${where} ${type} has behavior ${show(behavior)}`);
  }
  for (const field of flags) {
    const value = part[field];
    if (value !== undefined && value !== null && typeof value !== "boolean") {
      throw wrong(`its ${where} ${type} has ${field} ${show(value)}`);
    }
  }
  if (type === "Split" || type === "Replace") checkPattern(pattern, `${where} ${type}`);
  if (type === "Strip" && where === "decoder") {
    for (const field of ["start", "stop"]) {
      if (!isId(part[field])) throw wrong(`its decoder Strip has ${field} ${show(part[field])}`);
    }
  }
  if (type === "TemplateProcessing") checkTemplate(part);
  if (type === "BertProcessing" || type === "RobertaProcessing") {
    for (const side of ["sep", "cls"]) {
      const token = part[side];
      if (!Array.isArray(token) || typeof token[0] !== "string" || !isId(token[1])) {
        throw wrong(`its ${type} has ${side} ${show(token)}`);
      }
    }
  }
}

function checkPattern(pattern: unknown, where: string): void {
  const text = isObject(pattern) ? pattern.String ?? pattern.Regex : undefined;
  if (typeof text !== "string" || text === "") throw wrong(`its ${where} has the pattern ${show(pattern)}`);
  if (text.length > MAX_PATTERN) throw wrong(`its ${where} has a pattern of ${text.length} characters`);
}

function checkTemplate(part: Definition): void {
  const special = isObject(part.special_tokens) ? part.special_tokens : {};
  for (const side of ["single", "pair"]) {
    const template = part[side];
    if (!Array.isArray(template) || template.length > MAX_PARTS) {
      throw wrong(`its template has ${side} ${show(template)}`);
    }
    for (const item of template) {
      const reference: unknown = isObject(item) ? item.SpecialToken ?? item.Sequence : undefined;
      if (!isObject(reference) || typeof reference.id !== "string" || !isId(reference.type_id)) {
        throw wrong(`its template has ${show(item)} in ${side}`);
      }
      if (!isObject(item) || item.SpecialToken === undefined) continue;
      const token = Object.hasOwn(special, reference.id) ? special[reference.id] : undefined;
      const ids = isObject(token) ? token.ids : undefined;
      if (!Array.isArray(ids) || ids.length > MAX_PARTS || !ids.every(isId)) {
        throw wrong(`its template has no ids of ${show(reference.id)}`);
      }
    }
    // Texts are identified by their place in the template: one that occurs twice would be counted once.
    const texts = template.filter((item) => isObject(item) && "Sequence" in item);
    if (texts.length > 2) throw wrong(`its template has ${texts.length} texts in ${side}`);
  }
}
