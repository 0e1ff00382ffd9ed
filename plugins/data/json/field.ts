/** Finds a list in a JSON document byte by byte, by the keys of the objects around it. */
import { type AttuneError, badValue, missing } from "../../../core/base/errors.ts";

/** Searches a list and then the document's end. */
export type FieldSeeker = Readonly<{
  /** Takes the next byte before the list; true: it opens the list. Throws AttuneError if there is no such list. */
  before(byte: number): boolean;
  /** Takes the next byte after the list; false: the byte is not allowed there. */
  after(byte: number): boolean;
  /** Whether the document has ended. */
  hasEnded(): boolean;
}>;

const [QUOTE, BACKSLASH, COMMA, COLON, OPEN, CLOSE, OPEN_LIST, CLOSE_LIST] = [34, 92, 44, 58, 123, 125, 91, 93];

/** Searches the list in a field such as "data.rows". `name`: the file. */
export function seekField(plugin: string, name: string, field: string): FieldSeeker {
  const path = field.split(".");
  /** The byte's depth, and how many keys of the path lead to it. */
  let [depth, matched] = [0, 0];
  let [inText, isEscaped, isKey, isMatch, isValue] = [false, false, false, false, true];
  let key: number[] | undefined;
  const notThere = (): AttuneError => missing(plugin, `field "${field}"`, name);
  const inWord = (byte: number): void => {
    key?.push(byte);
    if (isEscaped) isEscaped = false;
    else if (byte === BACKSLASH) isEscaped = true;
    else if (byte === QUOTE) {
      inText = false;
      if (key) isMatch = wordOf(key) === path[matched];
      key = undefined;
    }
  };
  /** Handles the first byte of the value of a key in the path, or of the document. */
  const begin = (byte: number): boolean => {
    isValue = false;
    if (matched === path.length) {
      if (byte === OPEN_LIST) return true;
      throw badValue(plugin, `${name}, ${field}`, String.fromCharCode(byte), "a list of objects");
    }
    if (byte !== OPEN) throw notThere();
    return false;
  };
  return {
    before: (byte) => {
      if (inText) inWord(byte);
      else if (isBlank(byte)) return false;
      else if (isValue && begin(byte)) {
        depth++;
        return true;
      } else if (byte === QUOTE) {
        inText = true;
        if (isKey) key = [QUOTE];
        isKey = false;
      } else if (byte === OPEN || byte === OPEN_LIST) isKey = ++depth === matched + 1;
      else if (byte === CLOSE || byte === CLOSE_LIST) {
        if (--depth <= matched) throw notThere();
      } else if (byte === COMMA) isKey = depth === matched + 1;
      else if (byte === COLON && isMatch) {
        matched++;
        [isMatch, isValue] = [false, true];
      }
      return false;
    },
    after: (byte) => {
      if (inText) inWord(byte);
      else if (depth === 0) return isBlank(byte);
      else if (byte === QUOTE) inText = true;
      else if (byte === OPEN || byte === OPEN_LIST) depth++;
      else if (byte === CLOSE || byte === CLOSE_LIST) depth--;
      return true;
    },
    hasEnded: () => depth === 0 && !inText,
  };
}

/** Whether a byte is JSON white space. */
export function isBlank(byte: number): boolean {
  return byte === 32 || byte === 9 || byte === 10 || byte === 13;
}

function wordOf(bytes: readonly number[]): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes)));
  } catch {
    return undefined;
  }
}
