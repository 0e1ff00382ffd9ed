/**
 * The library's tokenizer of a tokenizer.json, with patterns that take no more time than their text is long.
 * @module
 */
import { Tokenizer as Library } from "@huggingface/tokenizers";
import { AttuneError, badFile } from "../../core/errors.ts";
import { alignedOf, textOf } from "./aligned.ts";
import { patternOf } from "./patterns.ts";
import { type Steps, stepsOf } from "./sequence.ts";

type Definition = Readonly<Record<string, unknown>>;

/** What the library does with a text before and after its model. */
type Part = {
  config?: { pattern?: { Regex?: string } };
  pattern?: unknown;
  tokenizers?: readonly Part[];
  decoders?: readonly Part[];
  text_decoder?: TextDecoder;
} | null;

type Splitter = { constructor: new (contents: readonly string[]) => Splitter };
type Internals = {
  normalizer: ((text: string) => string) | null;
  pre_tokenizer: Part;
  decoder: Part;
  added_tokens: readonly { content: string; normalized: boolean; special: boolean }[];
  added_tokens_map: Map<string, unknown>;
  splitter_unnormalized: Splitter;
  splitter_normalized: Splitter;
};

/** Opens a checked tokenizer.json. Throws AttuneError where a part of it is not sound. */
export function openLibrary(definition: Definition, config: Definition): Readonly<{ library: Library; steps: Steps }> {
  try {
    const steps = stepsOf(definition);
    // The library runs a normalizer as it is made: where that has patterns, ours has to stand in from the start.
    const hasPatterns = /"Regex":/.test(JSON.stringify(definition.normalizer ?? null));
    const library = new Library(hasPatterns ? { ...definition, normalizer: null } : definition, { ...config });
    const own = library as unknown as Internals;
    if (hasPatterns) normalizeWith(own, (text) => textOf(steps.normalize(alignedOf(text))));
    if (config.split_special_tokens === true) splitSpecial(own);
    for (const part of [own.pre_tokenizer, own.decoder]) adjust(part);
    return { library, steps };
  } catch (cause) {
    if (cause instanceof AttuneError) throw cause;
    throw badFile("hf", "tokenizer.json", cause instanceof Error ? cause.message : String(cause));
  }
}

function normalizeWith(own: Internals, normalize: (text: string) => string): void {
  own.normalizer = normalize;
  const { constructor: splitter } = own.splitter_normalized;
  const normalized = own.added_tokens.filter((token) => token.normalized).map((token) => {
    const content = normalize(token.content);
    own.added_tokens_map.set(content, token);
    return content;
  });
  own.splitter_normalized = new splitter(normalized);
  own.splitter_unnormalized = new splitter(own.added_tokens.filter((t) => !t.normalized).map((t) => t.content));
}

/** Special tokens in texts are read as other text is. */
function splitSpecial(own: Internals): void {
  const { constructor: splitter } = own.splitter_normalized;
  const contents = (normalized: boolean): string[] =>
    own.added_tokens.filter((t) => t.normalized === normalized && !t.special)
      .map(({ content }) => (normalized ? own.normalizer?.(content) ?? content : content));
  own.splitter_normalized = new splitter(contents(true));
  own.splitter_unnormalized = new splitter(contents(false));
}

function adjust(part: Part): void {
  if (!part) return;
  if (part.config?.pattern?.Regex !== undefined) part.pattern = patternOf(part.config.pattern);
  // The library's byte fallback would swallow a byte order mark inside a text.
  if (part.text_decoder) part.text_decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  for (const inner of part.tokenizers ?? part.decoders ?? []) adjust(inner);
}
