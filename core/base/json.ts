/** Parsing of JSON from outside: content on which parsers disagree, and deep nesting, are refused. */
import { badFile, refuseLfsPointer } from "./errors.ts";
import type { Json, Named } from "./types.ts";

/** The deepest nesting that is accepted: the code that walks JSON recurses, and so do the parsers of some engines. */
const MAX_DEPTH = 64;

/**
 * Parses JSON in UTF-8. `anyKey`: keys are data (a vocabulary's tokens), so that even "__proto__" is accepted.
 *
 * @throws SyntaxError that says why the JSON is refused.
 */
export function strictJson(bytes: Uint8Array, { anyKey = false }: Readonly<{ anyKey?: boolean }> = {}): Json {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new SyntaxError("it is not UTF-8");
  }
  if (depthOf(text) > MAX_DEPTH) throw new SyntaxError(`it is nested deeper than ${MAX_DEPTH}`);
  // Code that copies objects would take a key of this name for the prototype.
  const suspicious = !anyKey && (text.includes("__proto__") || /\\u005f/i.test(text));
  let proto = false;
  const look = (key: string, value: Json): Json => {
    proto ||= key === "__proto__";
    return value;
  };
  let value: Json;
  try {
    value = suspicious ? JSON.parse(text, look) : JSON.parse(text);
  } catch {
    throw new SyntaxError("it cannot be parsed");
  }
  if (proto) throw new SyntaxError('a key is "__proto__"');
  return value;
}

/**
 * Whether a value is an object with names, rather than a list or null.
 *
 * @example
 * ```ts
 * import { isObject } from "attune/kit";
 * console.assert(isObject({ a: 1 }) && !isObject([1]) && !isObject(null));
 * ```
 */
export function isObject(value: unknown): value is Named<unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Parses a JSON file that must hold an object. Throws AttuneError if it does not. */
export function jsonObject(
  plugin: string,
  file: string,
  bytes: Uint8Array,
  options?: Readonly<{ anyKey?: boolean }>,
): Named<Json> {
  refuseLfsPointer(plugin, file, bytes);
  let value: Json;
  try {
    value = strictJson(bytes, options);
  } catch (cause) {
    throw badFile(plugin, file, `is not JSON (${cause instanceof Error ? cause.message : cause})`);
  }
  if (isObject(value)) return value;
  throw badFile(plugin, file, "is not an object");
}

/** Returns how deep the lists and objects of a JSON text are nested, without parsing it. */
function depthOf(text: string): number {
  let [depth, most, quoted] = [0, 0, false];
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i);
    if (quoted) {
      if (symbol === 0x5c) i++;
      else if (symbol === 0x22) quoted = false;
    } else if (symbol === 0x22) quoted = true;
    else if (symbol === 0x7b || symbol === 0x5b) most = Math.max(most, ++depth);
    else if (symbol === 0x7d || symbol === 0x5d) depth--;
  }
  return most;
}
