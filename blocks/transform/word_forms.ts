/**
 * Irregular forms of words: WordNet's exception lists, and verbs that are irregular today, from npm's package
 * `wink-lexicon`.
 */
import type { Store } from "../../core/types.ts";
import type { BaseForm, WordForms, WordKind } from "./inflection.ts";

const exceptions: readonly (readonly [WordKind, string])[] = [
  ["noun", "wn-noun-exceptions.js"],
  ["verb", "wn-verb-exceptions.js"],
  ["adjective", "wn-adjective-exceptions.js"],
];

/** Prefixes of verbs that are the same in all forms, such as "set" and "cast". */
const prefixes = /^(?:be|broad|fore|in|mis|off|out|over|re|sub|type|un|under|up)$/;

/** Reads the lists in that package's folder. */
export async function readForms(store: Store): Promise<WordForms> {
  const bases = new Map<string, BaseForm[]>();
  const forms = new Map<string, string[]>();
  const add = (base: string, kind: WordKind, form: string): void => {
    const ending = endingOf(form, kind);
    bases.set(form, [...bases.get(form) ?? [], { base, kind, ending }]);
    const key = `${kind} ${ending} ${base}`;
    forms.set(key, [...forms.get(key) ?? [], form]);
  };
  for (const [kind, file] of exceptions) {
    for (const [form, base] of pairsIn(await textOf(store, file))) if (form !== base) add(base, kind, form);
  }
  add("person", "noun", "people");
  const pasts = new Map<string, Set<string>>();
  for (const [form, base] of pairsIn(await textOf(store, "irregular-verbs.js"))) {
    pasts.set(base, (pasts.get(base) ?? new Set()).add(form));
  }
  /** Returns past and participle of a verb that is irregular today. */
  const pastsOf = (verb: string): readonly string[] | undefined => {
    const all = [...pasts.get(verb) ?? []];
    return all.some((form) => form !== verb)
      ? all.filter((form) => form !== verb)
      : all.length > 0
      ? [verb]
      : undefined;
  };
  return {
    basesOf: (word) => bases.get(word) ?? [],
    formsOf: (base, kind, ending) => {
      const listed = forms.get(`${kind} ${ending} ${base}`) ?? [];
      if (kind !== "verb" || ending !== "ed") return listed;
      const irregular = pastsOf(base);
      if (irregular) return irregular;
      // "understand" is inflected like "stand". For others the lists may have "wrought", though today's is "worked".
      const verb = [...pasts.keys()].find((verb) => verb.length > 2 && base.endsWith(verb));
      if (verb === undefined) return listed.filter((form) => form.endsWith("ed"));
      const isUnchanging = prefixes.test(base.slice(0, -verb.length)) && pastsOf(verb)?.join() === verb;
      return listed.length === 0 && isUnchanging ? [base] : listed;
    },
  };
}

/** Returns the ending that represents a form; "ed" for both past and participle. */
function endingOf(form: string, kind: WordKind): string {
  if (kind === "noun") return "s";
  if (kind === "adjective") return form.endsWith("st") ? "est" : "er";
  return form.endsWith("ing") ? "ing" : /^(?:is|does|has)$/.test(form) ? "s" : "ed";
}

/** Returns the forms with their bases: `const be = 'be'; exceptions.was = be;` in the package's files. */
function pairsIn(text: string): [form: string, base: string][] {
  const words = new Map(
    [...text.matchAll(/^(?:var|const) (\w+) = '([a-z]+)';$/gm)].map(([, name, word]) => [name, word]),
  );
  return [...text.matchAll(/^\w+\.([a-z]+) = (\w+);$/gm)].flatMap(([, form = "", name]) => {
    const base = words.get(name);
    return base === undefined ? [] : [[form, base] as [string, string]];
  });
}

async function textOf(store: Store, key: string): Promise<string> {
  return new TextDecoder().decode((await store.get(key))?.bytes);
}
