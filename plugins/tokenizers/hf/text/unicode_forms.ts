/** Unicode's normalization forms (UAX #15) in version 9, like Hugging Face's tokenizers, with positions preserved. */
import { type Aligned, type Change, transformText } from "./aligned.ts";
import { isMark, isWhole } from "./unicode.ts";

/** The four forms. */
export type Form = "NFC" | "NFD" | "NFKC" | "NFKD";

/** A character of the decomposed text, its effect on the old text, and its combining order. */
type Part = readonly [char: string, change: number, order: number];

/** Returns a text in a normalization form: decomposed, reordered, and for NFC and NFKC composed again. */
export function normalForm(text: Aligned, form: Form): Aligned {
  // ASCII is in all forms already.
  if (/^[\0-\x7f]*$/.test(text.text)) return text;
  const decomposed = form === "NFC" || form === "NFD" ? "NFD" : "NFKD";
  const parts = ordered(partsOf(text.text, decomposed));
  return transformText(
    text,
    form === decomposed ? parts.map(([char, change]): Change => [char, change]) : composed(parts),
  );
}

function partsOf(text: string, form: "NFD" | "NFKD"): Part[] {
  const parts: Part[] = [];
  for (const char of text) {
    if (char < "\x80") {
      parts.push([char, 0, 0]);
      continue;
    }
    if (isWhole(char.codePointAt(0) ?? 0)) parts.push([char, 0, orderOf(char)]);
    else {
      let first = 0;
      for (const part of char.normalize(form)) {
        parts.push([part, first, orderOf(part)]);
        first = 1;
      }
    }
  }
  return parts;
}

/** A mark of each combining class, in the order of classes. */
const marks = Array.from(
  "\u0334\u093c\u3099\u094d\u05b0\u05b1\u05b2\u05b3\u05b4\u05b5\u05b6\u05b7\u05b8\u05b9\u05bb\u05bc\u05bd\u05bf\u05c1\u05c2\ufb1e" +
    "\u064b\u064c\u064d\u064e\u064f\u0650\u0651\u0652\u0670\u0711\u0c55\u0c56\u0e38\u0e48\u0eb8\u0ec8\u0f71\u0f72\u0f74" +
    "\u0321\u1dce\u031b\u302a\u0316\u059a\u302e\u{1d16d}\u05ae\u0301\u0315\u035c\u035d\u0345",
);

const orders = new Map<string, number>();

/** Returns a number that orders marks by combining class, which JavaScript does not expose; 0 for class 0. */
function orderOf(char: string): number {
  if (char < "\u0300" || !isMark(char.codePointAt(0) ?? 0)) return 0;
  const known = orders.get(char);
  if (known !== undefined) return known;
  // Nothing moves past class 0; an overlay (1) or iota subscript (240) passes, or is passed by, any other mark.
  let order = 0;
  if (passes(char, "\u0334") || passes("\u0345", char)) {
    order = 1 + 2 * marks.filter((mark) => passes(char, mark)).length;
  }
  orders.set(char, order);
  return order;
}

/** Whether mark a comes after mark b in canonical order. */
function passes(a: string, b: string): boolean {
  return a !== b && (a + b).normalize("NFD") === b + a;
}

/** Sorts marks by class; marks of the same class keep their order. */
function ordered(parts: Part[]): Part[] {
  for (let start = 0; start < parts.length;) {
    let end = start;
    let sorted = true;
    while (end < parts.length && (parts[end] as Part)[2] > 0) {
      if (end > start && (parts[end - 1] as Part)[2] > (parts[end] as Part)[2]) sorted = false;
      end++;
    }
    if (!sorted) {
      const run = parts.slice(start, end).sort((a, b) => a[2] - b[2]);
      for (let i = 0; i < run.length; i++) parts[start + i] = run[i] as Part;
    }
    start = end + 1;
  }
  return parts;
}

const pairs = new Map<string, string>();

/** Returns the single character that composes two, or "". */
function joined(a: string, b: string): string {
  const both = a + b;
  const known = pairs.get(both);
  if (known !== undefined) return known;
  const form = both.normalize("NFC");
  const one = (form.codePointAt(0) ?? 0) > 0xffff ? 2 : 1;
  const result = form.length === one && !isWhole(form.codePointAt(0) ?? 0) ? form : "";
  if (pairs.size >= 4096) pairs.clear();
  pairs.set(both, result);
  return result;
}

/** Composes starters with following characters. */
function composed(parts: readonly Part[]): Change[] {
  const out: Change[] = [];
  let starter: Change | undefined;
  let waiting: Change[] = [];
  let last = -1;
  const flush = (): void => {
    if (starter) out.push(starter);
    for (const mark of waiting) out.push(mark);
    waiting = [];
    last = -1;
  };
  for (const [char, change, order] of parts) {
    if (!starter) {
      if (order > 0) out.push([char, change]);
      else starter = [char, change];
      continue;
    }
    // A mark of the same or a higher class in between blocks composition.
    const one = last < 0 || last < order ? joined(starter[0], char) : "";
    if (one !== "") starter = [one, starter[1] + change - 1];
    else if (order > 0) {
      waiting.push([char, change]);
      last = order;
    } else {
      flush();
      starter = [char, change];
    }
  }
  flush();
  return out;
}
