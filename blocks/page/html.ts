/**
 * Markup that escapes by construction: whatever is put into an `html` template is text unless it is markup itself.
 * @module
 */

const MARKUP: unique symbol = Symbol("markup");

/** A piece of finished markup. Only {@link html} makes it, so no row can pass for one. */
export type Html = Readonly<{ [MARKUP]: string }>;

/** A value that a template may hold; false, null and undefined print nothing. */
export type Part = Html | string | number | false | null | undefined | readonly Part[];

/**
 * A template whose values are escaped, for element content and quoted attributes alike.
 */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  const fixed = unindented(strings);
  let text = fixed[0] ?? "";
  for (const [i, part] of parts.entries()) text += markupOf(part) + (fixed[i + 1] ?? "");
  return { [MARKUP]: text };
}

/** A template without its indentation, which is layout of the source and not of the page. */
function unindented(strings: TemplateStringsArray): readonly string[] {
  const known = UNINDENTED.get(strings);
  if (known) return known;
  const trimmed = strings.map((text) => text.replace(/\s*\n\s*/g, "\n"));
  UNINDENTED.set(strings, trimmed);
  return trimmed;
}

const UNINDENTED: WeakMap<TemplateStringsArray, readonly string[]> = new WeakMap();

/** The text of a part: markup as it is, all else escaped. */
export function markupOf(part: Part): string {
  if (part === null || part === undefined || part === false) return "";
  if (typeof part === "string") return escapeText(part);
  if (typeof part === "number") return String(part);
  return MARKUP in part ? part[MARKUP] : part.map(markupOf).join("");
}

/** Text as HTML: the five characters that markup is made of as entities, control characters as U+FFFD. */
function escapeText(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[&<>"'\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/g, (c) => ENTITIES[c] ?? "\ufffd");
}

const ENTITIES: { readonly [char: string]: string } = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
