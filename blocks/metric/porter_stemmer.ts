/**
 * Porter's stemmer for English (Porter 1980) with NLTK's changes, which ROUGE and METEOR depend on.
 * @module
 */

type Rule = readonly [suffix: string, replacement: string];

const irregular: Readonly<Record<string, string>> = {
  skies: "sky",
  sky: "sky",
  dying: "die",
  lying: "lie",
  tying: "tie",
  news: "news",
  innings: "inning",
  inning: "inning",
  outings: "outing",
  outing: "outing",
  cannings: "canning",
  canning: "canning",
  howe: "howe",
  proceed: "proceed",
  exceed: "exceed",
  succeed: "succeed",
};

const step2: readonly Rule[] = [
  ["ational", "ate"],
  ["tional", "tion"],
  ["enci", "ence"],
  ["anci", "ance"],
  ["izer", "ize"],
  ["bli", "ble"],
  ["alli", "al"],
  ["entli", "ent"],
  ["eli", "e"],
  ["ousli", "ous"],
  ["ization", "ize"],
  ["ation", "ate"],
  ["ator", "ate"],
  ["alism", "al"],
  ["iveness", "ive"],
  ["fulness", "ful"],
  ["ousness", "ous"],
  ["aliti", "al"],
  ["iviti", "ive"],
  ["biliti", "ble"],
  ["fulli", "ful"],
  ["logi", "log"],
];

const step3: readonly Rule[] = [
  ["icate", "ic"],
  ["ative", ""],
  ["alize", "al"],
  ["iciti", "ic"],
  ["ical", "ic"],
  ["ful", ""],
  ["ness", ""],
];

// Only the first suffix that matches is tried, so the longer ones of each ending come first.
const step4: readonly string[] = (
  "al ance ence er ic able ible ant ement ment ent ion ou ism ate iti ous ive ize"
).split(" ");

/** Returns the stem of a word. */
export function stem(word: string): string {
  const lower = word.toLowerCase();
  if (Object.hasOwn(irregular, lower)) return irregular[lower] ?? lower;
  if (lower.length <= 2) return lower;
  return finalL(finalE(fourth(third(second(finalY(pastAndGerund(plural(lower))))))));
}

/** Returns which letters are consonants: y is one at the start and after a vowel. */
function consonants(word: string): boolean[] {
  const flags: boolean[] = [];
  for (let i = 0; i < word.length; i++) {
    const letter = word[i] ?? "";
    flags.push(letter === "y" ? i === 0 || !flags[i - 1] : !"aeiou".includes(letter));
  }
  return flags;
}

/** Returns the number of vowel-consonant sequences: m in [C](VC)^m[V]. */
function measure(word: string): number {
  const flags = consonants(word);
  let m = 0;
  for (let i = 1; i < flags.length; i++) if (flags[i] && !flags[i - 1]) m++;
  return m;
}

/** Whether a word ends in consonant, vowel, consonant other than w, x, y; or is a vowel and a consonant. */
function endsShort(word: string): boolean {
  const flags = consonants(word);
  const n = flags.length;
  if (n === 2) return !flags[0] && flags[1] === true;
  return n > 2 && flags[n - 3] === true && !flags[n - 2] && flags[n - 1] === true && !"wxy".includes(word[n - 1] ?? "");
}

function cutOff(word: string, suffix: string): string {
  return word.slice(0, word.length - suffix.length);
}

function plural(word: string): string {
  if (word.endsWith("ies")) return cutOff(word, word.length === 4 ? "s" : "es");
  if (word.endsWith("sses")) return cutOff(word, "es");
  return word.endsWith("s") && !word.endsWith("ss") ? cutOff(word, "s") : word;
}

function pastAndGerund(word: string): string {
  if (word.endsWith("ied")) return cutOff(word, word.length === 4 ? "d" : "ed");
  if (word.endsWith("eed")) return measure(cutOff(word, "eed")) > 0 ? cutOff(word, "d") : word;
  const suffix = ["ed", "ing"].find((s) => word.endsWith(s) && consonants(cutOff(word, s)).includes(false));
  if (suffix === undefined) return word;
  const rest = cutOff(word, suffix);
  if (/(?:at|bl|iz)$/.test(rest)) return `${rest}e`;
  const last = rest.at(-1) ?? "";
  if (rest.length >= 2 && last === rest.at(-2) && consonants(rest).at(-1)) {
    return "lsz".includes(last) ? rest : rest.slice(0, -1);
  }
  return measure(rest) === 1 && endsShort(rest) ? `${rest}e` : rest;
}

function finalY(word: string): string {
  const rest = cutOff(word, "y");
  return word.endsWith("y") && rest.length > 1 && consonants(rest).at(-1) ? `${rest}i` : word;
}

function second(word: string): string {
  if (word.endsWith("alli") && measure(cutOff(word, "alli")) > 0) return second(`${cutOff(word, "alli")}al`);
  for (const [suffix, replacement] of step2) {
    if (!word.endsWith(suffix)) continue;
    const rest = cutOff(word, suffix);
    // For "logi", the l counts as a part of the stem.
    return measure(suffix === "logi" ? `${rest}l` : rest) > 0 ? rest + replacement : word;
  }
  return word;
}

function third(word: string): string {
  const rule = step3.find(([suffix]) => word.endsWith(suffix));
  if (!rule) return word;
  const rest = cutOff(word, rule[0]);
  return measure(rest) > 0 ? rest + rule[1] : word;
}

function fourth(word: string): string {
  const suffix = step4.find((s) => word.endsWith(s));
  if (suffix === undefined) return word;
  const rest = cutOff(word, suffix);
  return measure(rest) > 1 && (suffix !== "ion" || /[st]$/.test(rest)) ? rest : word;
}

function finalE(word: string): string {
  if (!word.endsWith("e")) return word;
  const rest = cutOff(word, "e");
  const m = measure(rest);
  return m > 1 || (m === 1 && !endsShort(rest)) ? rest : word;
}

function finalL(word: string): string {
  return word.endsWith("ll") && measure(word.slice(0, -1)) > 1 ? word.slice(0, -1) : word;
}
