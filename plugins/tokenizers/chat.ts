/**
 * Chat templates: conversations as text, and which parts of it the assistant says.
 * @module
 */
import { AttuneError, badFile, unsupported } from "../../core/errors.ts";
import type { Named } from "../../core/types.ts";
import { boundedTemplate, type Render } from "./template.ts";

type Message = Named<string>;
type Span = readonly [start: number, end: number];

/** A conversation as text. `assistant`: what the assistant says, in UTF-16 units. */
export type Chat = Readonly<{ text: string; assistant: readonly Span[] }>;

/** Renders conversations. */
export type Renderer = (messages: readonly Message[], addGenerationPrompt: boolean) => Chat;

/** Characters of Unicode's private use, which mark places of a rendered template. */
const [OPEN, CLOSE, INSTEAD] = ["\uf0e0", "\uf0e1", "\uf0e2\uf0e3"];

/**
 * A renderer of a template with the tokenizer's special tokens. What the assistant says stands between
 * `{% generation %}` and `{% endgeneration %}`; in a template without these it is found by rendering the conversation up
 * to each turn, or with other words in the turn's place, so that the tokens which end a turn are part of it.
 *
 * @throws AttuneError where the template cannot be read.
 */
export function chatRenderer(template: string, tokens: Named<string>): Renderer {
  const marks = /\{%-?\s*generation\s*-?%\}/.test(template);
  const compiled = compile(template);
  const marked = marks ? compile(withMarks(template)) : undefined;
  const render = (with_: Render, messages: readonly Message[], prompt: boolean): string => {
    try {
      return with_({ ...tokens, messages, add_generation_prompt: prompt });
    } catch (cause) {
      throw refused(cause);
    }
  };
  return (messages, prompt) => {
    const text = render(compiled, messages, prompt);
    const found = (): readonly Span[] => {
      if (!messages.some((m) => m.role === "assistant")) return [];
      return (marked && fromMarks(render(marked, messages, prompt), text)) ??
        messages.flatMap((m, i) =>
          m.role === "assistant" ? turnOf(messages, i, text, (part, p) => render(compiled, part, p), prompt) : []
        );
    };
    let known: readonly Span[] | undefined;
    // Turn by turn it is rendered again: only for who asks.
    return {
      text,
      get assistant() {
        return (known ??= found());
      },
    };
  };
}

/** A template that says no to a conversation, or takes more than it may. */
function refused(cause: unknown): AttuneError {
  const why = (cause instanceof Error ? cause.message : String(cause)).slice(0, 500);
  return new AttuneError(`messages: the chat template does not take them: ${why}`, {
    code: "BAD_VALUE",
    plugin: "hf",
    path: "messages",
    cause,
  });
}

function compile(template: string): Render {
  try {
    return boundedTemplate(template);
  } catch (cause) {
    throw badFile("hf", "the chat template", cause instanceof Error ? cause.message : String(cause));
  }
}

// A mark stands between two tags that do nothing, so that the template's control of white space stays as it was.
function withMarks(template: string): string {
  return template.replace(
    /\{%(-?)\s*(end)?generation\s*(-?)%\}/g,
    (_, left: string, end: string | undefined, right: string) =>
      `{%${left} set generation_mark = 0 %}{{ "${end ? CLOSE : OPEN}" }}{% set generation_mark = 0 ${right}%}`,
  );
}

function fromMarks(marked: string, text: string): Span[] | undefined {
  const spans: Span[] = [];
  let [plain, start] = ["", 0];
  for (const part of marked.split(new RegExp(`(${OPEN}|${CLOSE})`))) {
    if (part === OPEN) start = plain.length;
    else if (part === CLOSE) spans.push([start, plain.length]);
    else plain += part;
  }
  return plain === text ? spans : undefined;
}

/** Where one turn of the assistant stands; nothing where the template leaves it out. */
function turnOf(
  messages: readonly Message[],
  i: number,
  text: string,
  render: (messages: readonly Message[], prompt: boolean) => string,
  prompt: boolean,
): Span[] {
  const upTo = (end: number, open: boolean): string | undefined => {
    try {
      return render(messages.slice(0, end), open);
    } catch {
      return undefined; // templates may refuse a conversation that is not whole
    }
  };
  const [before, after] = [upTo(i, true), upTo(i + 1, false)];
  if (before !== undefined && after !== undefined && before.length < after.length && after.startsWith(before)) {
    if (text.startsWith(after)) return [[before.length, after.length]];
  }
  // The turn looks different with what follows or comes before: other words in its place show where it is.
  const other = messages.map((m, k) => (k === i ? { ...m, content: INSTEAD } : m));
  const replaced = render(other, prompt);
  const start = replaced.indexOf(INSTEAD);
  if (start < 0) return [];
  const rest = replaced.slice(start + INSTEAD.length);
  if (!text.startsWith(replaced.slice(0, start)) || !text.endsWith(rest) || text.length < start + rest.length) {
    throw unsupported("hf", `messages.${i}`, "its place in the text", "the chat template renders it out of order");
  }
  const end = text.length - rest.length;
  let alone: string | undefined;
  try {
    alone = render(other.slice(0, i + 1), false);
  } catch {
    alone = undefined;
  }
  const tail = alone?.slice(alone.indexOf(INSTEAD) + INSTEAD.length) ?? "";
  let more = 0;
  while (more < tail.length && tail[more] === text[end + more]) more++;
  // Where only some of what ends the conversation ends the turn, too, that is whole tags and lines.
  if (more < tail.length) more = /^[^]*[>\]\s]/.exec(tail.slice(0, more))?.[0].length ?? 0;
  return [[start, end + more]];
}
