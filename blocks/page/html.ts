/**
 * Markup that escapes by construction: any value in an `html` template is escaped unless it is markup itself.
 * @module
 */

const MARKUP: unique symbol = Symbol("markup");

/** A piece of finished markup. Only {@link html} creates it, so data cannot pass for markup. */
export type Html = Readonly<{ [MARKUP]: string }>;

/** A value in a template; false, null and undefined print nothing. */
export type Part = Html | string | number | false | null | undefined | readonly Part[];

/** Returns markup from a template, escaping its values for element content and quoted attributes alike. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  const fixed = unindented(strings);
  let text = fixed[0] ?? "";
  for (const [i, part] of parts.entries()) text += markupOf(part) + (fixed[i + 1] ?? "");
  return { [MARKUP]: text };
}

/** Removes a template's indentation, which belongs to the source and not to the page. */
function unindented(strings: TemplateStringsArray): readonly string[] {
  const known = UNINDENTED.get(strings);
  if (known) return known;
  const trimmed = strings.map((text) => text.replace(/\s*\n\s*/g, "\n"));
  UNINDENTED.set(strings, trimmed);
  return trimmed;
}

const UNINDENTED: WeakMap<TemplateStringsArray, readonly string[]> = new WeakMap();

/** Returns the text of a part: markup unchanged, everything else escaped. */
export function markupOf(part: Part): string {
  if (part === null || part === undefined || part === false) return "";
  if (typeof part === "string") return escapeText(part);
  if (typeof part === "number") return String(part);
  return MARKUP in part ? part[MARKUP] : part.map(markupOf).join("");
}

/** Escapes text for HTML: markup characters as entities, control characters as U+FFFD. */
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
