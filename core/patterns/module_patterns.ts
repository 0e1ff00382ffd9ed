/** Selection of modules by target names, following PEFT's rules. */
import { noMatch, unsupported } from "../base/errors.ts";
import { linearPattern, type Pattern } from "./linear_pattern.ts";

/**
 * Returns the paths that targets select. A string is a regular expression for the whole path, or "all-linear" for every
 * linear layer; a list holds names that a path equals, or ends with after a dot.
 *
 * @throws AttuneError that lists the existing modules if nothing matches.
 * @example
 * ```ts
 * import { matchModules } from "attune";
 * console.assert(matchModules("lora", ["query"], ["a.query", "a.key"]).has("a.query"));
 * ```
 */
export function matchModules(
  plugin: string,
  targets: string | readonly string[],
  paths: readonly string[],
  exclude?: string | readonly string[] | null,
): ReadonlySet<string> {
  const matching = paths.filter((path) => matches(path, targets) && !(exclude && matches(path, exclude)));
  if (matching.length === 0) throw noMatch(plugin, targets, paths);
  return new Set(matching);
}

/** Whether targets select a path. */
export function matches(path: string, targets: string | readonly string[]): boolean {
  if (targets === "all-linear") return true;
  if (typeof targets === "string") return wholeMatch(path, targets);
  return targets.some((target) => path === target || path.endsWith(`.${target}`));
}

/** Returns the value of a pattern map for a path, by PEFT's rule: keys match the end of the path. */
export function patternValue(path: string, patterns: Readonly<Record<string, number>>, fallback: number): number {
  for (const [pattern, value] of Object.entries(patterns)) {
    if (wholeMatch(path, pattern.startsWith("^") ? pattern : `(.*\\.)?(${pattern})`)) return value;
  }
  return fallback;
}

/** Returns the layer number of a path like `encoder.layer.3.attention`: the first one, or the first after a pattern. */
export function layerIndex(path: string, pattern?: string | readonly string[] | null): number | undefined {
  const patterns = pattern ? [pattern].flat() : [];
  if (patterns.length === 0) return numberIn(/^.*?\.[^.]*\.(\d+)\./.exec(path));
  for (const name of patterns) {
    for (const number of path.matchAll(/\.(\d+)(?=\.)/g)) {
      if (wholeMatch(path.slice(0, number.index), `(.*\\.)?(${name})`)) return numberIn(number);
    }
  }
  return undefined;
}

function numberIn(match: RegExpExecArray | null): number | undefined {
  return match?.[1] === undefined ? undefined : Number(match[1]);
}

const cachedPatterns = new Map<string, Pattern | undefined>();

/** Whether a pattern, perhaps from a saved adapter, matches a whole path; an invalid pattern is compared as text. */
function wholeMatch(path: string, source: string): boolean {
  if (!cachedPatterns.has(source)) {
    if (cachedPatterns.size >= 256) cachedPatterns.clear();
    cachedPatterns.set(source, patternOf(source));
  }
  const pattern = cachedPatterns.get(source);
  return pattern ? path.match(pattern as unknown as RegExp) !== null : path === source;
}

function patternOf(source: string): Pattern | undefined {
  try {
    return linearPattern(`^(?:${source})$`);
  } catch (cause) {
    try {
      new RegExp(source);
    } catch {
      return undefined;
    }
    throw unsupported("modules", "pattern", source, cause instanceof Error ? cause.message : String(cause));
  }
}
