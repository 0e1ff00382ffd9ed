/**
 * Entities in a row of tags such as "B-PER", "I-PER", "O".
 * @module
 */
import { badValue } from "../../core/errors.ts";

/** How tags say where entities begin and end. */
export type Scheme = "IOB2" | "IOE2" | "IOBES" | "BILOU";

/** An entity of some type, from the first to the last of its words. */
export type Entity = Readonly<{ type: string; start: number; end: number }>;

type Tag = Readonly<{ prefix: string; type: string }>;

const outside: Tag = { prefix: "O", type: "_" };

function tagOf(text: string): Tag {
  const rest = text.slice(1);
  const at = rest.indexOf("-");
  return { prefix: text.slice(0, 1), type: (at < 0 ? rest : rest.slice(at + 1)) || "_" };
}

/** Entities as CoNLL's evaluation script reads them (Tjong Kim Sang & De Meulder 2003): tags that break a scheme still count. */
export function lenientEntities(tags: readonly string[]): Entity[] {
  const found: Entity[] = [];
  let before = outside;
  let start = 0;
  for (let i = 0; i <= tags.length; i++) {
    const text = tags[i];
    const tag = text === undefined ? outside : tagOf(text);
    if (ends(before, tag)) found.push({ type: before.type, start, end: i - 1 });
    if (starts(before, tag)) start = i;
    before = tag;
  }
  return found;
}

const isInside = (tag: Tag): boolean => tag.prefix !== "O" && tag.prefix !== ".";

function ends(before: Tag, tag: Tag): boolean {
  if (before.prefix === "E" || before.prefix === "S") return true;
  if ((before.prefix === "B" || before.prefix === "I") && "BSO".includes(tag.prefix)) return true;
  return isInside(before) && before.type !== tag.type;
}

function starts(before: Tag, tag: Tag): boolean {
  if (tag.prefix === "B" || tag.prefix === "S") return true;
  if ("ESO".includes(before.prefix) && (tag.prefix === "E" || tag.prefix === "I")) return true;
  return isInside(tag) && before.type !== tag.type;
}

/** Prefixes of a scheme: where an entity may start, what follows within it, and what it must end with (any, if none). */
const schemes: Readonly<
  Record<Scheme, Readonly<{ start: string; inner: string; next: string; end: string; all: string }>>
> = {
  IOB2: { start: "B", inner: "BI", next: "I", end: "BI", all: "BIO" },
  IOE2: { start: "IE", inner: "I", next: "IE", end: "E", all: "IEO" },
  IOBES: { start: "BS", inner: "BI", next: "IE", end: "ES", all: "BIESO" },
  BILOU: { start: "BU", inner: "BI", next: "IL", end: "LU", all: "BILUO" },
};

/**
 * Entities of which every tag keeps to the scheme.
 *
 * @throws AttuneError where a tag has a prefix that the scheme lacks.
 */
export function strictEntities(plugin: string, tags: readonly string[], scheme: Scheme): Entity[] {
  const { start, inner, next, end, all } = schemes[scheme];
  const parsed = tags.map((text) => {
    const tag = tagOf(text);
    if (tag.prefix === "" || !all.includes(tag.prefix)) throw badValue(plugin, "tags", text, `a tag of ${scheme}`);
    return tag;
  });
  const found: Entity[] = [];
  for (let i = 0; i < parsed.length;) {
    const first = parsed[i] ?? outside;
    if (!start.includes(first.prefix)) {
      i++;
      continue;
    }
    let last = first;
    let j = i + 1;
    for (; j < parsed.length; j++) {
      const tag = parsed[j] ?? outside;
      if (!inner.includes(last.prefix) || !next.includes(tag.prefix) || tag.type !== last.type) break;
      last = tag;
    }
    if (end.includes(last.prefix)) found.push({ type: first.type, start: i, end: j - 1 });
    i = j;
  }
  return found;
}
