/**
 * JSON lines, checked byte by byte as they come: nothing of them is held or parsed, so that neither long lines nor many
 * take memory or time at once.
 * @module
 */
import { badFile } from "../errors.ts";

/** JSON lines, checked as they come. */
export interface LineCheck {
  /** Throws AttuneError (`BAD_FILE`) that names the first line that is not a JSON object in UTF-8. */
  push(bytes: Uint8Array): void;
  /** The number of rows; throws as `push`, and where there are none. */
  end(): number;
}

/** A longer line is refused, and one that is nested deeper. */
const [MAX_LINE, MAX_DEPTH] = [16 * 2 ** 20, 512];

// Where in a line a byte stands. A value is expected ..., or a value may also be none, as behind the bracket of a list.
const [START, VALUE, FIRST_ITEM, FIRST_KEY, KEY, COLON, NEXT, DONE, STRING, ESCAPE, HEX, WORD] = [
  ...Array(12).keys(),
] as [number, number, number, number, number, number, number, number, number, number, number, number];
const [MINUS, ZERO, WHOLE, POINT, FRACTION, EXPONENT, SIGN, POWER] = [20, 21, 22, 23, 24, 25, 26, 27];

const code = (text: string): number => text.charCodeAt(0);
const [QUOTE, SLASH, OPEN, CLOSE, LIST, LIST_END] = [code('"'), code("\\"), code("{"), code("}"), code("["), code("]")];
const escapes: ReadonlySet<number> = new Set([...'"\\/bfnrtu'].map(code));
const words: ReadonlyMap<number, string> = new Map(["true", "false", "null"].map((word) => [code(word), word]));
const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;
const isHex = (byte: number): boolean => isDigit(byte) || (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66;
const isBlank = (byte: number): boolean => byte === 0x20 || byte === 0x09 || byte === 0x0d;

/** Checks a file of JSON lines; `file` is how it is named in messages. */
export function lineCheck(file: string): LineCheck {
  const line = lineState();
  const utf8 = utf8State();
  let [rows, number, length, mark] = [0, 1, 0, 0];
  const wrong = (problem: string): never => {
    throw badFile("jobs", `${file}, line ${number}`, problem);
  };
  const finish = (): void => {
    const found = line.end();
    if (found === "broken" || !utf8.isWhole()) wrong("is not JSON in UTF-8 (it ends too early)");
    if (found === "other") wrong("is not a JSON object");
    if (found === "object") rows++;
    [number, length] = [number + 1, 0];
  };
  return {
    push: (bytes) => {
      for (let i = 0; i < bytes.length; i++) {
        const byte = bytes[i] as number;
        // A byte order mark may begin the file.
        if (number === 1 && mark === length && byte === [0xef, 0xbb, 0xbf][mark]) {
          mark++;
          length++;
          continue;
        }
        if (number === 1 && mark === length && mark > 0 && mark < 3) {
          wrong("is not JSON in UTF-8 (its bytes are no text)");
        }
        const plain = utf8.isWhole() ? line.plainUntil(bytes, i) : i;
        if (plain > i) {
          length += plain - i;
          i = plain - 1;
          continue;
        }
        if (byte === 0x0a) {
          finish();
          continue;
        }
        if (++length > MAX_LINE) wrong(`is longer than ${MAX_LINE} bytes`);
        if (!utf8.takes(byte)) wrong("is not JSON in UTF-8 (its bytes are no text)");
        const problem = line.takes(byte);
        if (problem !== undefined) wrong(problem);
      }
    },
    end: () => {
      finish();
      if (rows === 0) throw badFile("jobs", file, "has no rows");
      return rows;
    },
  };
}

/** One line of JSON, byte by byte. */
function lineState(): Readonly<{
  /** What is wrong with a byte, if something is. */
  takes(byte: number): string | undefined;
  /** Up to where letters of a text stand that mean nothing else, from a place on. */
  plainUntil(bytes: Uint8Array, from: number): number;
  end(): "empty" | "object" | "other" | "broken";
}> {
  // Of each level whether it is an object.
  const levels = new Uint8Array(MAX_DEPTH);
  let [at, depth, isKey, isObject, word, place] = [START, 0, false, false, "", 0];
  const unexpected = (byte: number): string =>
    `is not JSON in UTF-8 (${
      byte < 0x80 ? JSON.stringify(String.fromCharCode(byte)) : "a letter"
    } is not expected there)`;
  const ended = (): void => void (at = depth === 0 ? DONE : NEXT);
  const opened = (object: boolean): string | undefined => {
    if (depth === MAX_DEPTH) return `is nested deeper than ${MAX_DEPTH}`;
    levels[depth++] = object ? 1 : 0;
    at = object ? FIRST_KEY : FIRST_ITEM;
    return undefined;
  };
  const value = (byte: number): string | undefined => {
    if (byte === OPEN || byte === LIST) return opened(byte === OPEN);
    if (byte === QUOTE) [at, isKey] = [STRING, false];
    else if (byte === 0x2d) at = MINUS;
    else if (isDigit(byte)) at = byte === 0x30 ? ZERO : WHOLE;
    else if (words.has(byte)) [at, word, place] = [WORD, words.get(byte) ?? "", 1];
    else return unexpected(byte);
    return undefined;
  };
  const closed = (byte: number): boolean => {
    if (byte !== (levels[depth - 1] === 1 ? CLOSE : LIST_END)) return false;
    depth--;
    ended();
    return true;
  };
  /** Numbers end where something else begins; false: the byte is none of theirs. */
  const numeral = (byte: number): boolean | string => {
    const digit = isDigit(byte);
    const power = (byte | 0x20) === 0x65;
    if (at === MINUS && digit) at = byte === 0x30 ? ZERO : WHOLE;
    else if (at === WHOLE && digit || at === FRACTION && digit || at === POWER && digit) return true;
    else if ((at === ZERO || at === WHOLE) && byte === 0x2e) at = POINT;
    else if (at === POINT && digit) at = FRACTION;
    else if ((at === ZERO || at === WHOLE || at === FRACTION) && power) at = EXPONENT;
    else if (at === EXPONENT && (byte === 0x2b || byte === 0x2d)) at = SIGN;
    else if ((at === EXPONENT || at === SIGN) && digit) at = POWER;
    else if (at === ZERO || at === WHOLE || at === FRACTION || at === POWER) return ended(), false;
    else return unexpected(byte);
    return true;
  };
  const takes = (byte: number): string | undefined => {
    if (at === STRING) {
      if (byte === QUOTE) isKey ? at = COLON : ended();
      else if (byte === SLASH) at = ESCAPE;
      else if (byte < 0x20) return unexpected(byte);
      return undefined;
    }
    if (at >= MINUS) {
      const own = numeral(byte);
      if (own === true) return undefined;
      if (own !== false) return own;
    }
    if (at === ESCAPE) {
      if (!escapes.has(byte)) return unexpected(byte);
      [at, place] = byte === code("u") ? [HEX, 0] : [STRING, 0];
      return undefined;
    }
    if (at === HEX) {
      if (!isHex(byte)) return unexpected(byte);
      if (++place === 4) at = STRING;
      return undefined;
    }
    if (at === WORD) {
      if (byte !== word.charCodeAt(place++)) return unexpected(byte);
      if (place === word.length) ended();
      return undefined;
    }
    if (isBlank(byte)) return undefined;
    if (at === START) {
      isObject = byte === OPEN;
      return value(byte);
    }
    if (at === VALUE) return value(byte);
    if (at === FIRST_ITEM) return closed(byte) ? undefined : value(byte);
    if (at === FIRST_KEY && closed(byte)) return undefined;
    if ((at === FIRST_KEY || at === KEY) && byte === QUOTE) [at, isKey] = [STRING, true];
    else if (at === COLON && byte === code(":")) at = VALUE;
    else if (at === NEXT && byte === code(",")) at = levels[depth - 1] === 1 ? KEY : VALUE;
    else if (at !== NEXT || !closed(byte)) return unexpected(byte);
    return undefined;
  };
  return {
    takes,
    plainUntil: (bytes, from) => {
      let to = from;
      if (at !== STRING) return to;
      for (; to < bytes.length; to++) {
        const byte = bytes[to] as number;
        if (byte < 0x20 || byte > 0x7e || byte === QUOTE || byte === SLASH) break;
      }
      return to;
    },
    end: () => {
      if (at >= MINUS) numeral(0x20);
      const found = at === START ? "empty" : at !== DONE ? "broken" : isObject ? "object" : "other";
      [at, depth] = [START, 0];
      return found;
    },
  };
}

/** UTF-8, byte by byte: no byte too many or too few, no longer spelling than needed, no surrogates. */
function utf8State(): Readonly<{ takes(byte: number): boolean; isWhole(): boolean }> {
  let [left, low, high] = [0, 0x80, 0xbf];
  return {
    takes: (byte) => {
      if (left === 0) {
        if (byte < 0x80) return true;
        if (byte < 0xc2 || byte > 0xf4) return false;
        left = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
        low = byte === 0xe0 ? 0xa0 : byte === 0xf0 ? 0x90 : 0x80;
        high = byte === 0xed ? 0x9f : byte === 0xf4 ? 0x8f : 0xbf;
        return true;
      }
      if (byte < low || byte > high) return false;
      [left, low, high] = [left - 1, 0x80, 0xbf];
      return true;
    },
    isWhole: () => left === 0,
  };
}
