/** Chat templates: conversations as text, and the parts of it that the assistant says. */
import { AttuneError, badFile, unsupported } from "../../../../core/base/errors.ts";
import type { Json, Named } from "../../../../core/types.ts";
import { boundedTemplate, type Render } from "./template.ts";

type Message = Named<Json>;
type Span = readonly [start: number, end: number];

/** A rendered conversation. `assistant`: the spans that the assistant says, in UTF-16 units. */
export type Chat = Readonly<{ text: string; assistant: readonly Span[] }>;

/** Renders conversations. `variables`: further variables of the template. */
export type Renderer = (
  messages: readonly Message[],
  addGenerationPrompt: boolean,
  tools?: readonly Json[],
  variables?: Named<Json>,
) => Chat;

/** The names of an assistant's reasoning, of which each template reads one. */
const THOUGHTS = ["reasoning_content", "thinking", "reasoning"];

/** Private use characters that mark places in a rendered template. */
const [OPEN, CLOSE, INSTEAD] = ["\uf0e0", "\uf0e1", "\uf0e2\uf0e3"];

/**
 * Returns a renderer of a template with the tokenizer's special tokens. What the assistant says is between `{%
 * generation %}` and `{% endgeneration %}`; without these tags it is found by rendering the conversation up to each
 * turn, or with other words in the turn's place, so that tokens that end a turn belong to it.
 *
 * @throws AttuneError if the template cannot be parsed.
 */
export function chatRenderer(template: string, tokens: Named<string>): Renderer {
  const marks = /\{%-?\s*generation\s*-?%\}/.test(template);
  const compiled = compile(template);
  const marked = marks ? compile(withMarks(template)) : undefined;
  return (given, prompt, tools, variables) => {
    const normalized = given.map(messageOf);
    const render = (with_: Render, messages: readonly Message[], open: boolean): string => {
      const known = { ...tokens, tools: tools ?? null, documents: null, ...variables };
      try {
        return with_({ ...known, messages, add_generation_prompt: open });
      } catch (cause) {
        throw refused(cause);
      }
    };
    const text = render(compiled, normalized, prompt);
    const assistantSpans = (): readonly Span[] => {
      if (!normalized.some((m) => m.role === "assistant")) return [];
      return (marked && fromMarks(render(marked, normalized, prompt), text)) ??
        turnsOf(normalized, text, (part, p) => render(compiled, part, p), prompt);
    };
    let known: readonly Span[] | undefined;
    // Finding these needs many renderings, so it is done on demand.
    return {
      text,
      get assistant() {
        return (known ??= assistantSpans());
      },
    };
  };
}

/** Returns a message as templates expect it: without nulls, and with reasoning under all of its names. */
function messageOf(message: Message): Message {
  const fields = Object.fromEntries(
    Object.entries(message).filter(([, value]) => value !== null && value !== undefined),
  );
  const thoughts = THOUGHTS.map((name) => fields[name]).find((value) => value !== undefined);
  return thoughts === undefined ? fields : { thinking: thoughts, ...fields, reasoning_content: thoughts };
}

/** Returns the error for a template that refuses a conversation, or exceeds its limits. */
function refused(cause: unknown): AttuneError {
  const why = (cause instanceof Error ? cause.message : String(cause)).slice(0, 500);
  return new AttuneError(`messages: the chat template rejects them: ${why}`, {
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

// A mark goes between two tags without effect, so that the template's whitespace control does not change.
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

/** How far a turn begins before its content, and ends after it. */
type Reach = Readonly<{ before: number; behind: number }>;
type RenderPart = (messages: readonly Message[], prompt: boolean) => string;

/**
 * Returns the spans of the assistant's turns. Of turns of the same shape (fields, and roles before and after) some are
 * found by rendering the conversation up to them; if they reach equally far around their content, so do the other turns
 * with the same surrounding text.
 */
function turnsOf(messages: readonly Message[], text: string, render: RenderPart, prompt: boolean): Span[] {
  const places = placesOf(messages, text, render, prompt);
  const known = new Map<number, Span[]>();
  const look = (i: number): Span[] => {
    const spans = known.get(i) ?? turnOf(messages, i, text, render, prompt);
    known.set(i, spans);
    return spans;
  };
  const shapes = new Map<string, number[]>();
  messages.forEach((message, i) => {
    if (message.role !== "assistant") return;
    const shape = JSON.stringify([Object.keys(message), messages[i - 1]?.role, messages[i + 1]?.role, i === 0]);
    shapes.set(shape, [...shapes.get(shape) ?? [], i]);
  });
  for (const turns of shapes.values()) {
    const some = [0, 1, turns.length >> 1, turns.length - 2, turns.length - 1].filter((k) => k >= 0);
    const looked = new Set(some.flatMap((k) => turns[k] ?? []));
    const reaches = [...looked].map((i) => reachOf(look(i), places?.[i]));
    const [first] = reaches;
    const alike = first && reaches.every((reach) => reach?.before === first.before && reach.behind === first.behind);
    const sample = turns[turns.length >> 1] ?? 0;
    for (const i of turns) {
      const place = places?.[i];
      if (looked.has(i) || !alike || !place || !around(text, first, place, places?.[sample])) look(i);
      else known.set(i, [[place[0] - first.before, place[1] + first.behind]]);
    }
  }
  return messages.flatMap((_, i) => known.get(i) ?? []);
}

function reachOf([span, ...more]: readonly Span[], place: Span | undefined): Reach | undefined {
  if (!span || !place || more.length > 0) return undefined;
  return { before: place[0] - span[0], behind: span[1] - place[1] };
}

/** Whether two turns have the same text around their content. */
function around(text: string, { before, behind }: Reach, a: Span, b: Span | undefined): boolean {
  const parts = ([start, end]: Span): string =>
    `${text.slice(start - before, start)}\0${text.slice(end, end + behind)}`;
  return b !== undefined && before >= 0 && behind >= 0 && parts(a) === parts(b);
}

/** Returns where each message's content is, if rendering once with other content in all places shows it. */
function placesOf(
  messages: readonly Message[],
  text: string,
  render: RenderPart,
  prompt: boolean,
): (Span | undefined)[] | undefined {
  const isText = (message: Message): boolean => typeof message.content === "string" && message.content !== "";
  const shown = messages.map((_, i) => i).filter((i) => isText(messages[i] as Message));
  let pieces: string[];
  try {
    const others = messages.map((m) => (isText(m) ? { ...m, content: INSTEAD } : m));
    pieces = render(others, prompt).split(INSTEAD);
  } catch {
    return undefined;
  }
  if (pieces.length !== shown.length + 1 || !text.startsWith(pieces[0] ?? "")) return undefined;
  const places: (Span | undefined)[] = messages.map(() => undefined);
  let at = pieces[0]?.length ?? 0;
  for (const [k, i] of shown.entries()) {
    const words = String(messages[i]?.content);
    const next = pieces[k + 1] ?? "";
    // Templates may strip white space.
    const said = [words, words.trim(), words.trimStart(), words.trimEnd()].find((variant) =>
      text.startsWith(variant, at) && text.startsWith(next, at + variant.length)
    );
    if (said === undefined) return undefined;
    places[i] = [at, at + said.length];
    at += said.length + next.length;
  }
  return at === text.length ? places : undefined;
}

/** Returns the span of one turn of the assistant; none if the template omits it. */
function turnOf(messages: readonly Message[], i: number, text: string, render: RenderPart, prompt: boolean): Span[] {
  const upTo = (end: number, open: boolean): string | undefined => {
    try {
      return render(messages.slice(0, end), open);
    } catch {
      return undefined; // templates may refuse incomplete conversations
    }
  };
  const [before, after] = [upTo(i, true), upTo(i + 1, false)];
  if (before !== undefined && after !== undefined && before.length < after.length && after.startsWith(before)) {
    if (text.startsWith(after)) return [[before.length, after.length]];
  }
  // The turn is rendered differently at the end of a conversation: other content in its place shows where it is.
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
  // If only a part of the conversation's end belongs to the turn, that part is cut after a complete tag or line.
  if (more < tail.length) more = /^[^]*[>\]\s]/.exec(tail.slice(0, more))?.[0].length ?? 0;
  return [[start, end + more]];
}
