/** Entities in a row of tags such as "B-PER", "I-PER", "O". */
import { badValue } from "../../core/base/errors.ts";

/** Tagging schemes, which differ in how tags mark the begin and end of entities. */
export type Scheme = "IOB1" | "IOE1" | "IOB2" | "IOE2" | "IOBES" | "BILOU";

/** An entity of a type, from its first to its last word. */
export type Entity = Readonly<{ type: string; start: number; end: number }>;

type Tag = Readonly<{ prefix: string; type: string }>;

const outside: Tag = { prefix: "O", type: "_" };

function tagOf(text: string): Tag {
  const rest = text.slice(1);
  const at = rest.indexOf("-");
  return { prefix: text.slice(0, 1), type: (at < 0 ? rest : rest.slice(at + 1)) || "_" };
}

/** Returns entities like CoNLL's script (Tjong Kim Sang & De Meulder 2003): tags that break a scheme count. */
export function lenientEntities(tags: readonly string[]): Entity[] {
  const entities: Entity[] = [];
  let before = outside;
  let start = 0;
  for (let i = 0; i <= tags.length; i++) {
    const text = tags[i];
    const tag = text === undefined ? outside : tagOf(text);
    if (ends(before, tag)) entities.push({ type: before.type, start, end: i - 1 });
    if (starts(before, tag)) start = i;
    before = tag;
  }
  return entities;
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

/** Prefixes of each scheme: those that start an entity, may follow within it, and end it (any, if none). */
const schemes: Readonly<
  Record<
    Exclude<Scheme, "IOB1" | "IOE1">,
    Readonly<{ start: string; inner: string; next: string; end: string; all: string }>
  >
> = {
  IOB2: { start: "B", inner: "BI", next: "I", end: "BI", all: "BIO" },
  IOE2: { start: "IE", inner: "I", next: "IE", end: "E", all: "IEO" },
  IOBES: { start: "BS", inner: "BI", next: "IE", end: "ES", all: "BIESO" },
  BILOU: { start: "BU", inner: "BI", next: "IL", end: "LU", all: "BILUO" },
};

/**
 * Returns the entities whose tags all follow the scheme.
 *
 * @throws AttuneError if a tag has a prefix that the scheme lacks.
 */
export function strictEntities(plugin: string, tags: readonly string[], scheme: Scheme): Entity[] {
  if (scheme === "IOB1" || scheme === "IOE1") return entitiesOfPairs(plugin, tags, scheme);
  const { start, inner, next, end, all } = schemes[scheme];
  const parsed = parsedTags(plugin, tags, scheme, all);
  const entities: Entity[] = [];
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
    if (end.includes(last.prefix)) entities.push({ type: first.type, start: i, end: j - 1 });
    i = j;
  }
  return entities;
}

function parsedTags(plugin: string, tags: readonly string[], scheme: Scheme, allowed: string): Tag[] {
  return tags.map((text) => {
    const tag = tagOf(text);
    if (tag.prefix === "" || !allowed.includes(tag.prefix)) throw badValue(plugin, "tags", text, `a tag of ${scheme}`);
    return tag;
  });
}

/**
 * The older schemes, which mark only adjacent entities: pairs of neighbouring prefixes ("=" if of the same type, "!" if
 * not) that start an entity, continue it, and end it, as in seqeval.
 */
const pairs: Readonly<Record<"IOB1" | "IOE1", Readonly<{ start: string; inside: string; end: string }>>> = {
  IOB1: { start: "OI II! BI IB= BB=", inside: "BI= II=", end: "II! IO IB BO BI! BB=" },
  IOE1: { start: "OI II! EI EE=", inside: "II= IE=", end: "II! IO IE! EI= EE=" },
};

function entitiesOfPairs(plugin: string, tags: readonly string[], scheme: "IOB1" | "IOE1"): Entity[] {
  const { start, inside, end } = pairs[scheme];
  const all = [...parsedTags(plugin, tags, scheme, scheme === "IOB1" ? "IOB" : "IOE"), outside];
  const at = (i: number): Tag => all[i] ?? outside;
  const fits = (listed: string, i: number): boolean => {
    const [before, tag] = [at(i - 1), at(i)];
    const pair = before.prefix + tag.prefix;
    return listed.split(" ").some((one) => one === pair || one === pair + (before.type === tag.type ? "=" : "!"));
  };
  const entities: Entity[] = [];
  for (let i = 0; i < all.length;) {
    if (!fits(start, i)) {
      i++;
      continue;
    }
    let next = i + 1;
    while (next < all.length && fits(inside, next)) next++;
    if (fits(end, next)) entities.push({ type: at(i).type, start: i, end: next - 1 });
    i = next;
  }
  return entities;
}
