/**
 * Unicode's normal forms (UAX #15), character by character, so that places are kept.
 * @module
 */
import { type Aligned, type Change, transformed } from "./aligned.ts";

/** The four forms. */
export type Form = "NFC" | "NFD" | "NFKC" | "NFKD";

/** A text in a normal form: decomposed, ordered, and for NFC and NFKC composed again. */
export function normalForm(text: Aligned, form: Form): Aligned {
  // Without marks or anything to take apart, a text is in all of its forms.
  if (text.chars.every((c) => c < "\u0080")) return text;
  const decomposed = form === "NFC" || form === "NFD" ? "NFD" : "NFKD";
  const changes = ordered(
    text.chars.flatMap((char) => [...char.normalize(decomposed)].map((c, i): Change => [c, i > 0 ? 1 : 0])),
  );
  return transformed(text, form === decomposed ? changes : composed(changes));
}

/** Whether mark a stands behind mark b in canonical order; JavaScript tells no combining classes, but orders by them. */
function behind(a: string, b: string): boolean {
  return a !== b && (a + b).normalize("NFD") === b + a;
}

/** Whether a character's combining class is not 0: an overlay (class 1) or an accent (class 230) then moves past it. */
function combines(char: string): boolean {
  return /\p{M}/u.test(char) && (behind(char, "\u0334") || behind("\u0301", char) || char === "\u0301");
}

function ordered(changes: readonly Change[]): Change[] {
  const out: Change[] = [];
  let start = 0;
  for (const change of changes) {
    if (!combines(change[0])) {
      out.push(change);
      start = out.length;
      continue;
    }
    let at = out.length;
    while (at > start && behind((out[at - 1] as Change)[0], change[0])) at--;
    out.splice(at, 0, change);
  }
  return out;
}

/** Joins starters with the marks behind them where there is one character for both. */
function composed(changes: readonly Change[]): Change[] {
  const out: Change[] = [];
  let starter: Change | undefined;
  let marks: Change[] = [];
  const flush = (): void => {
    if (starter) out.push(starter);
    out.push(...marks);
    starter = undefined;
    marks = [];
  };
  for (const change of changes) {
    const [char, taken] = change;
    const mark = combines(char);
    if (!starter) {
      if (mark) out.push(change);
      else starter = change;
      continue;
    }
    const last = marks.at(-1)?.[0];
    // A mark of the same or a higher class in between blocks.
    const blocked = last !== undefined && (!mark || !behind(char, last) && !ordersBefore(last, char));
    const joined = blocked ? "" : (starter[0] + char).normalize("NFC");
    if (!blocked && [...joined].length === 1) starter = [joined, starter[1] + taken - 1];
    else if (mark) marks.push(change);
    else {
      flush();
      starter = change;
    }
  }
  flush();
  return out;
}

function ordersBefore(a: string, b: string): boolean {
  return behind(b, a);
}
