/** Checks one line of JSON byte by byte. */

/** A checker of lines. */
export interface JsonLine {
  /** Checks the next byte, and returns the problem, if there is one. */
  takes(byte: number): string | undefined;
  /** Inside a string, returns the end of the plain characters from `from` on, which need no check; otherwise `from`. */
  plainUntil(bytes: Uint8Array, from: number): number;
  /** Ends the line, returns its kind, and starts the next line. */
  end(): "empty" | "object" | "other" | "broken";
}

/** Maximum depth of nesting; deeper lines are refused. */
const MAX_DEPTH = 512;

// States of the checker: what is expected next. FIRST_ITEM and FIRST_KEY also accept the end of the list or object.
const [START, VALUE, FIRST_ITEM, FIRST_KEY, KEY, COLON, NEXT, DONE, STRING, ESCAPE, HEX, WORD] = [
  ...Array(12).keys(),
] as [number, number, number, number, number, number, number, number, number, number, number, number];
const [MINUS, ZERO, WHOLE, POINT, FRACTION, EXPONENT, SIGN, POWER] = [20, 21, 22, 23, 24, 25, 26, 27];

const code = (text: string): number => text.charCodeAt(0);
const [QUOTE, SLASH, OPEN, CLOSE, LIST, LIST_END] = [code('"'), code("\\"), code("{"), code("}"), code("["), code("]")];
const [LETTER_U, COLON_SIGN, COMMA] = [code("u"), code(":"), code(",")];
const escapes: ReadonlySet<number> = new Set([...'"\\/bfnrtu'].map(code));
const words: ReadonlyMap<number, string> = new Map(["true", "false", "null"].map((word) => [code(word), word]));
const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;
const isHex = (byte: number): boolean => isDigit(byte) || (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66;
const isBlank = (byte: number): boolean => byte === 0x20 || byte === 0x09 || byte === 0x0d;

/** State of the checker within a line. */
type State = {
  at: number;
  /** For each level, 1 if it is an object, 0 if it is a list. */
  readonly levels: Uint8Array;
  depth: number;
  isKey: boolean;
  isObject: boolean;
  word: string;
  place: number;
};

/** Creates a checker before the first byte of a line. */
export function jsonLine(): JsonLine {
  const state: State = {
    at: START,
    levels: new Uint8Array(MAX_DEPTH),
    depth: 0,
    isKey: false,
    isObject: false,
    word: "",
    place: 0,
  };
  return {
    takes: (byte) => take(state, byte),
    plainUntil: (bytes, from) => {
      let to = from;
      if (state.at !== STRING) return to;
      for (; to < bytes.length; to++) {
        const byte = bytes[to] as number;
        if (byte < 0x20 || byte > 0x7e || byte === QUOTE || byte === SLASH) break;
      }
      return to;
    },
    end: () => {
      if (state.at >= MINUS) takeNumeral(state, 0x20);
      const { at, isObject } = state;
      state.at = START;
      state.depth = 0;
      return at === START ? "empty" : at !== DONE ? "broken" : isObject ? "object" : "other";
    },
  };
}

function unexpected(byte: number): string {
  const what = byte < 0x80 ? JSON.stringify(String.fromCharCode(byte)) : "a letter";
  return `is not JSON in UTF-8 (unexpected ${what})`;
}

function endValue(state: State): void {
  state.at = state.depth === 0 ? DONE : NEXT;
}

function take(state: State, byte: number): string | undefined {
  if (state.at === STRING) return takeInString(state, byte);
  if (state.at >= MINUS) {
    const done = takeNumeral(state, byte);
    if (done === true) return undefined;
    if (done !== false) return done;
  }
  switch (state.at) {
    case ESCAPE:
      if (!escapes.has(byte)) return unexpected(byte);
      state.at = byte === LETTER_U ? HEX : STRING;
      state.place = 0;
      return undefined;
    case HEX:
      if (!isHex(byte)) return unexpected(byte);
      if (++state.place === 4) state.at = STRING;
      return undefined;
    case WORD:
      if (byte !== state.word.charCodeAt(state.place++)) return unexpected(byte);
      if (state.place === state.word.length) endValue(state);
      return undefined;
    default:
      return isBlank(byte) ? undefined : takeBetween(state, byte);
  }
}

function takeInString(state: State, byte: number): string | undefined {
  if (byte === QUOTE) state.isKey ? state.at = COLON : endValue(state);
  else if (byte === SLASH) state.at = ESCAPE;
  else if (byte < 0x20) return unexpected(byte);
  return undefined;
}

/** Checks a byte outside strings and numbers, which may begin a value. */
function takeBetween(state: State, byte: number): string | undefined {
  const { at } = state;
  if (at === START) {
    state.isObject = byte === OPEN;
    return beginValue(state, byte);
  }
  if (at === VALUE) return beginValue(state, byte);
  if (at === FIRST_ITEM) return close(state, byte) ? undefined : beginValue(state, byte);
  if (at === FIRST_KEY && close(state, byte)) return undefined;
  if ((at === FIRST_KEY || at === KEY) && byte === QUOTE) {
    state.at = STRING;
    state.isKey = true;
  } else if (at === COLON && byte === COLON_SIGN) state.at = VALUE;
  else if (at === NEXT && byte === COMMA) state.at = state.levels[state.depth - 1] === 1 ? KEY : VALUE;
  else if (at !== NEXT || !close(state, byte)) return unexpected(byte);
  return undefined;
}

function beginValue(state: State, byte: number): string | undefined {
  if (byte === OPEN || byte === LIST) return open(state, byte === OPEN);
  if (byte === QUOTE) {
    state.at = STRING;
    state.isKey = false;
  } else if (byte === 0x2d) state.at = MINUS;
  else if (isDigit(byte)) state.at = byte === 0x30 ? ZERO : WHOLE;
  else if (words.has(byte)) {
    state.at = WORD;
    state.word = words.get(byte) ?? "";
    state.place = 1;
  } else return unexpected(byte);
  return undefined;
}

function open(state: State, object: boolean): string | undefined {
  if (state.depth === MAX_DEPTH) return `is nested deeper than ${MAX_DEPTH}`;
  state.levels[state.depth++] = object ? 1 : 0;
  state.at = object ? FIRST_KEY : FIRST_ITEM;
  return undefined;
}

function close(state: State, byte: number): boolean {
  if (byte !== (state.levels[state.depth - 1] === 1 ? CLOSE : LIST_END)) return false;
  state.depth--;
  endValue(state);
  return true;
}

/** Checks a byte within a number. Returns true if the byte belongs to it, false if the number ended before it. */
function takeNumeral(state: State, byte: number): boolean | string {
  const { at } = state;
  const digit = isDigit(byte);
  const power = (byte | 0x20) === 0x65;
  if (at === MINUS && digit) state.at = byte === 0x30 ? ZERO : WHOLE;
  else if (at === WHOLE && digit || at === FRACTION && digit || at === POWER && digit) return true;
  else if ((at === ZERO || at === WHOLE) && byte === 0x2e) state.at = POINT;
  else if (at === POINT && digit) state.at = FRACTION;
  else if ((at === ZERO || at === WHOLE || at === FRACTION) && power) state.at = EXPONENT;
  else if (at === EXPONENT && (byte === 0x2b || byte === 0x2d)) state.at = SIGN;
  else if ((at === EXPONENT || at === SIGN) && digit) state.at = POWER;
  else if (at === ZERO || at === WHOLE || at === FRACTION || at === POWER) {
    endValue(state);
    return false;
  } else return unexpected(byte);
  return true;
}
