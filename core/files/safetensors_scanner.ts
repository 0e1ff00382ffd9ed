/**
 * A strict scanner for the JSON of safetensors headers. JSON.parse would not do: of duplicate names it keeps the last,
 * where another reader may keep the first; it rounds large numbers, and builds objects of any size.
 */
import { badFile, show } from "../base/errors.ts";

/** A scanner's position in a header's text. */
export type HeaderScanner = { readonly text: string; readonly file: string; at: number };

/** Returns the error for an invalid header. */
export function brokenHeader({ file }: HeaderScanner, problem: string): Error {
  return badFile("safetensors", file, `its header ${problem}`);
}

/** Returns the error that says what a scanner expected at its position. */
export function unexpectedIn(scanner: HeaderScanner, due: string): Error {
  const { text, at } = scanner;
  const there = at < text.length ? show(text[at]) : "no more";
  return brokenHeader(scanner, `has ${there} at character ${at}, where ${due} was expected`);
}

function skipSpace(scanner: HeaderScanner): void {
  const { text } = scanner;
  let { at } = scanner;
  while (text[at] === " " || text[at] === "\n" || text[at] === "\r" || text[at] === "\t") at++;
  scanner.at = at;
}

function take(scanner: HeaderScanner, symbol: string): boolean {
  skipSpace(scanner);
  if (scanner.text[scanner.at] !== symbol) return false;
  scanner.at++;
  return true;
}

function need(scanner: HeaderScanner, symbol: string): void {
  if (!take(scanner, symbol)) throw unexpectedIn(scanner, show(symbol));
}

/** Scans a string. */
export function scanString(scanner: HeaderScanner): string {
  need(scanner, '"');
  const { text } = scanner;
  const from = scanner.at - 1;
  for (;; scanner.at++) {
    const c = text.charCodeAt(scanner.at);
    if (Number.isNaN(c)) throw unexpectedIn(scanner, "the end of a string");
    if (c === 0x22) break;
    if (c === 0x5c) scanner.at++;
  }
  scanner.at++;
  let value: string;
  try {
    value = JSON.parse(text.slice(from, scanner.at));
  } catch {
    throw brokenHeader(scanner, `has a broken string at character ${from}`);
  }
  // A lone surrogate has no UTF-8 encoding, and NUL ends names in other readers.
  if (/\p{Surrogate}|\0/u.test(value)) {
    throw brokenHeader(scanner, `has a string at character ${from} that cannot be written to a file`);
  }
  return value;
}

function scanWhole(scanner: HeaderScanner): number {
  skipSpace(scanner);
  const { text, at: from } = scanner;
  let at = from;
  while (at < text.length && /[0-9]/.test(text[at] ?? "")) at++;
  const value = Number(text.slice(from, at));
  if (at === from || at - from > 16 || (text[from] === "0" && at > from + 1) || !Number.isSafeInteger(value)) {
    throw unexpectedIn(scanner, "a whole number below 2⁵³");
  }
  scanner.at = at;
  return value;
}

/** Scans a list of whole numbers. */
export function scanNumbers(scanner: HeaderScanner): number[] {
  need(scanner, "[");
  const values: number[] = [];
  if (take(scanner, "]")) return values;
  do values.push(scanWhole(scanner)); while (take(scanner, ","));
  need(scanner, "]");
  return values;
}

/** Scans an object without duplicate names; `member` scans each value. */
export function scanObject(scanner: HeaderScanner, what: string, member: (name: string) => void): void {
  const names = new Set<string>();
  need(scanner, "{");
  if (take(scanner, "}")) return;
  do {
    const name = scanString(scanner);
    if (names.has(name)) throw brokenHeader(scanner, `names ${show(name)} twice in ${what}`);
    names.add(name);
    need(scanner, ":");
    member(name);
  } while (take(scanner, ","));
  need(scanner, "}");
}

/** Scans the end of the text, where only white space may be left. */
export function scanEnd(scanner: HeaderScanner): void {
  skipSpace(scanner);
  if (scanner.at !== scanner.text.length) throw unexpectedIn(scanner, "the end");
}
