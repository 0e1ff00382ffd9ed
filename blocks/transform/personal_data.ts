/** Finds personal data of several kinds in texts. */
import { countrySpecs } from "ibantools";

/** Kinds of personal data. */
export type PersonalKind = "email" | "phone" | "ip" | "card" | "iban";

/** A range of a text with personal data of one kind. */
export type PersonalSpan = Readonly<{ kind: string; from: number; to: number }>;

/** Finders of each kind. Every pattern is bounded, so that the time per character is constant at most. */
const finders: Readonly<Record<PersonalKind, (text: string) => Iterable<Readonly<{ from: number; to: number }>>>> = {
  email: (text) => emails(text),
  phone: (text) => phones(text),
  ip: (text) => addresses(text),
  card: (text) => cards(text),
  iban: (text) => ibans(text),
};

/** All kinds of personal data. */
export const personalKinds: readonly PersonalKind[] = ["email", "phone", "ip", "card", "iban"];

/** Returns the personal data in a text, in order; the longer of overlapping spans. `more`: spans found elsewhere. */
export function personalSpans(
  text: string,
  kinds: readonly PersonalKind[],
  more: readonly PersonalSpan[] = [],
): readonly PersonalSpan[] {
  const spans: PersonalSpan[] = [...more];
  for (const kind of kinds) for (const { from, to } of finders[kind](text)) spans.push({ kind, from, to });
  const longestFirst = spans.sort((a, b) => b.to - b.from - (a.to - a.from) || a.from - b.from);
  const disjoint: PersonalSpan[] = [];
  for (const span of longestFirst) {
    if (disjoint.every((other) => span.to <= other.from || span.from >= other.to)) disjoint.push(span);
  }
  return disjoint.sort((a, b) => a.from - b.from);
}

type Stretch = Readonly<{ from: number; to: number }>;

/** Atoms of RFC 5322 separated by dots, and a host with a dot; letters of any script in both (RFC 6531). */
const atom = "\\p{L}\\p{M}\\p{N}_!#$%&'*+/=?^`{|}~\\-";
const [sign, inside] = ["[\\p{L}\\p{N}]", "[\\p{L}\\p{M}\\p{N}\\-]{0,61}"];
const emailPattern = new RegExp(
  `(?<![${atom}.@])[${atom}]{1,64}(?:\\.[${atom}]{1,64}){0,16}@` +
    `(?:${sign}(?:${inside}${sign})?\\.){1,8}\\p{L}(?:${inside}${sign})?(?![\\p{L}\\p{N}_\\-])`,
  "giu",
);

function* emails(text: string): Generator<Stretch> {
  if (!text.includes("@")) return;
  for (const match of text.matchAll(emailPattern)) yield stretchOf(match);
}

const stretchOf = (match: RegExpMatchArray): Stretch => ({
  from: match.index ?? 0,
  to: (match.index ?? 0) + match[0].length,
});

/** With a plus, perhaps in brackets; with an area code in brackets; or groups of 3, 3 and 4, perhaps after a 1. */
const phonePatterns = [
  /(?<![\w+])(?:\+\d{1,15}|\(\+\d{1,3}\)[ .-]?\d{1,14})(?:[ .-]?\(\d{1,5}\)\d{0,14})?(?:[ .-]\d{1,14}){0,6}(?!\w)/g,
  /(?<![\w(])(?:1[ .-]?)?\(\d{2,5}\)[ .-]?\d{2,5}(?:[ .-]?\d{2,5}){1,3}(?!\w)/g,
  /(?<![\w.-])(?:1[ .-])?\d{3}([-.])\d{3}\1\d{4}(?![\w-])/g,
];

function* phones(text: string): Generator<Stretch> {
  for (const pattern of phonePatterns) {
    for (const match of text.matchAll(pattern)) {
      const digits = match[0].replaceAll(/\D/g, "").length;
      if (digits >= 7 && digits <= 15) yield stretchOf(match);
    }
  }
}

const four = String.raw`(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}`;
const fourPattern = new RegExp(String.raw`(?<![\w.:])${four}(?!\w|\.\d)`, "g");
const sixPattern = new RegExp(String.raw`(?<![\w:.])[0-9a-f:]{2,39}(?::${four})?(?![\w:]|\.\d)`, "gi");
const mappedEnd = new RegExp(`${four}$`);

function* addresses(text: string): Generator<Stretch> {
  for (const match of text.matchAll(fourPattern)) yield stretchOf(match);
  if (!text.includes(":")) return;
  for (const match of text.matchAll(sixPattern)) {
    if (isVersionSix(match[0])) yield stretchOf(match);
  }
}

/** Whether a text is an IPv6 address: eight groups, of which one `::` may replace several zeros. */
function isVersionSix(text: string): boolean {
  const halves = text.split("::");
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === "" ? [] : half.split(":")));
  const mapped = mappedEnd.test(groups.at(-1) ?? "");
  const plain = mapped ? groups.slice(0, -1) : groups;
  if (!plain.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return false;
  const size = plain.length + (mapped ? 2 : 0);
  return halves.length === 2 ? size < 8 && size > 0 : size === 8;
}

const cardPattern = /(?<![\w.-])[1-9]\d{0,18}(?:[ -]\d{1,18}){0,6}(?![\w-]|\.\d)/g;

function* cards(text: string): Generator<Stretch> {
  for (const match of text.matchAll(cardPattern)) {
    // Digits may adjoin a card number's groups: the longest run of whole groups that is valid.
    yield* wholeRuns(
      match,
      (digits) => digits.length >= 13 && digits.length <= 19 && digits[0] !== "0" && isLuhn(digits),
    );
  }
}

function* wholeRuns(match: RegExpMatchArray, isOne: (digits: string) => boolean): Generator<Stretch> {
  const groups = [...match[0].matchAll(/\d+/g)].map(stretchOf);
  for (let first = 0; first < groups.length; first++) {
    for (let last = groups.length - 1; last >= first; last--) {
      const [from, to] = [groups[first]?.from ?? 0, groups[last]?.to ?? 0];
      if (!isOne(match[0].slice(from, to).replaceAll(/\D/g, ""))) continue;
      yield { from: (match.index ?? 0) + from, to: (match.index ?? 0) + to };
      first = last;
      break;
    }
  }
}

/** Whether a card number passes the Luhn check. */
export function isLuhn(digits: string): boolean {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = Number(digits[digits.length - 1 - i]);
    const doubled = i % 2 === 0 ? digit : 2 * digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return digits.length > 0 && sum % 10 === 0;
}

const ibanPattern = /(?<!\w)[a-z]{2}\d{2}(?: ?[a-z0-9]){11,30}(?!\w)/gi;

function* ibans(text: string): Generator<Stretch> {
  for (const match of text.matchAll(ibanPattern)) {
    // The match may include a word that follows the IBAN.
    for (let length = match[0].length; length >= 15; length--) {
      if (/[a-z0-9]/i.test(match[0][length] ?? "") && match[0][length - 1] !== " ") continue;
      if (!isIban(match[0].slice(0, length).replaceAll(" ", "")) || match[0][length - 1] === " ") continue;
      yield { from: match.index, to: match.index + length };
      break;
    }
  }
}

/** Whether a text is an IBAN: it has the country's length, and is 1 modulo 97. */
export function isIban(value: string): boolean {
  const text = value.toUpperCase();
  if (!/^[A-Z]{2}\d{2}[A-Z0-9]+$/.test(text)) return false;
  if (lengths[text.slice(0, 2)]?.chars !== text.length) return false;
  let remainder = 0;
  for (const char of text.slice(4) + text.slice(0, 4)) {
    const digits = /\d/.test(char) ? char : String(char.charCodeAt(0) - 55);
    for (const digit of digits) remainder = (10 * remainder + Number(digit)) % 97;
  }
  return remainder === 1;
}

const lengths: Readonly<Record<string, Readonly<{ chars?: number | null | undefined }> | undefined>> = countrySpecs;
