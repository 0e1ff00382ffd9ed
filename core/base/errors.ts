/**
 * Errors: one class, and a function per kind. Messages say which part failed, what was found, where, what is allowed.
 */

/** The details of an error in addition to its message. */
export type ErrorDetails = Readonly<{
  code: string;
  plugin?: string;
  path?: string;
  found?: unknown;
  allowed?: readonly string[];
  cause?: unknown;
}>;

/** Every error that Attune throws on purpose. */
export class AttuneError extends Error {
  override readonly name = "AttuneError";
  /** The message without its prefix. */
  readonly sentence: string;
  readonly code: string;
  readonly plugin: string;
  readonly path: string;
  readonly found: unknown;
  readonly allowed: readonly string[];

  constructor(message: string, details: ErrorDetails) {
    const where = details.plugin ? `[attune] [${details.plugin}] ` : "[attune] ";
    super(where + message, details.cause === undefined ? undefined : { cause: details.cause });
    this.sentence = message;
    this.code = details.code;
    this.plugin = details.plugin ?? "";
    this.path = details.path ?? "";
    this.found = details.found;
    this.allowed = details.allowed ?? [];
  }
}

/** Returns the error for a value that an option, row or file may not have. */
export function badValue(plugin: string, path: string, value: unknown, allowed: string): AttuneError {
  return new AttuneError(`${path}: expected ${allowed} but found ${show(value)}`, {
    code: "BAD_VALUE",
    plugin,
    path,
    found: value,
    allowed: [allowed],
  });
}

/** Returns the error for a total amount of a request that exceeds a limit. */
export function tooMuch(plugin: string, path: string, what: string, amount: number, most: number): AttuneError {
  return new AttuneError(`${path}: at most ${most} ${what}, found ${amount}`, {
    code: "TOO_MUCH",
    plugin,
    path,
    found: amount,
    allowed: [`at most ${most} ${what}`],
  });
}

/** Returns the error for an unknown name, which suggests the nearest known one. */
export function unknownName(
  plugin: string,
  path: string,
  what: string,
  name: string,
  allowed: readonly string[],
): AttuneError {
  const near = nearest(name, allowed);
  return new AttuneError(
    `${path}: unknown ${what} ${show(name)}${near ? `, did you mean ${show(near)}?` : ""} Allowed: ${list(allowed)}`,
    { code: "UNKNOWN_NAME", plugin, path, found: name, allowed },
  );
}

/** Returns the error for target modules that the model does not have. */
export function noMatch(plugin: string, targets: unknown, paths: readonly string[]): AttuneError {
  const names = [...new Set(paths.map((p) => p.split(".").at(-1) ?? p))];
  return new AttuneError(`No module matches ${show(targets)}: there are ${list(names)}`, {
    code: "NO_MATCH",
    plugin,
    found: targets,
    allowed: names,
  });
}

/** Returns the error for an invalid file. */
export function badFile(plugin: string, file: string, problem: string): AttuneError {
  return new AttuneError(`${file}: ${problem}`, { code: "BAD_FILE", plugin, path: file });
}

/**
 * Refuses the pointer that Git LFS leaves in place of a file that was not fetched; `bytes`: at least its first 8.
 *
 * @throws AttuneError that says how to get the file.
 */
export function refuseLfsPointer(plugin: string, file: string, bytes: Uint8Array): void {
  if (String.fromCharCode(...bytes.subarray(0, 8)) !== "version ") return;
  const begin = new TextDecoder().decode(bytes.subarray(0, POINTER.length));
  if (!POINTER.startsWith(begin)) return;
  throw badFile(plugin, file, 'is a Git LFS pointer, not the file itself: "git lfs pull" in its folder fetches it');
}

const POINTER = "version https://git-lfs.github.com/spec/";

/** Returns the error for something that is missing. */
export function missing(plugin: string, what: string, where: string, advice = ""): AttuneError {
  return new AttuneError(`${where}: ${what} is missing${advice}`, { code: "MISSING", plugin, path: where });
}

/** Returns the error for a feature that is known but not supported. */
export function unsupported(plugin: string, path: string, value: unknown, why: string): AttuneError {
  return new AttuneError(`${path}: ${show(value)} is not supported: ${why}`, {
    code: "UNSUPPORTED",
    plugin,
    path,
    found: value,
  });
}

/** Returns the error for a run spec, which lists everything that is wrong with it. */
export function badSpec(issues: readonly AttuneError[]): AttuneError {
  const lines = issues.map((e) => `  ${e.message.replace(/^\[attune\] (\[spec\] )?/, "")}`);
  return new AttuneError(
    `The run spec has ${issues.length} ${issues.length === 1 ? "error" : "errors"}:\n${lines.join("\n")}`,
    { code: "BAD_SPEC", plugin: "spec", found: issues },
  );
}

/** Returns the error for a run that is refused before step one, because it would not fit or belongs to other data. */
export function refused(plugin: string, message: string): AttuneError {
  return new AttuneError(message, { code: "REFUSED", plugin });
}

/** Returns the error for a run in which no parameter would change. */
export function nothingTrains(): AttuneError {
  return new AttuneError("Nothing would train: every parameter that the losses depend on is frozen", {
    code: "NOTHING_TRAINS",
    plugin: "engine",
    found: "0 trainable parameters",
    allowed: ["unfrozen layers", "an adapter", "a head"],
  });
}

/** Returns the error for a store key that is not a plain relative path, or whose links lead out of the store. */
export function badKey(plugin: string, key: string, problem = "is not a path inside the store"): AttuneError {
  return new AttuneError(`Key ${show(key)} ${problem}`, { code: "BAD_KEY", plugin, path: key, found: key });
}

/**
 * Returns the error for a store operation that failed (`STORE`, or `DISK_FULL`): no space, no permission, or a folder
 * instead of a file.
 */
export function storeFailed(plugin: string, key: string, cause: unknown): AttuneError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const full = cause instanceof Error && "code" in cause && (cause.code === "ENOSPC" || cause.code === "EDQUOT");
  const code = full ? "DISK_FULL" : "STORE";
  return new AttuneError(`Key ${show(key)} failed: ${why}`, { code, plugin, path: key, cause });
}

/** Formats a value as JSON for a message, shortened if it is long. */
export function show(value: unknown): string {
  let text: string;
  if (typeof value === "number" || typeof value === "bigint" || value === undefined) text = String(value);
  else {
    try {
      text = JSON.stringify(value) ?? String(value);
    } catch {
      text = String(value);
    }
  }
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}

/** Returns the name in `allowed` with the smallest edit distance, if it is close enough for a typo. */
export function nearest(word: string, allowed: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const name of allowed) {
    const distance = editDistance(word.toLowerCase(), name.toLowerCase(), bestDistance);
    if (distance < bestDistance) [best, bestDistance] = [name, distance];
  }
  return best;
}

function list(names: readonly string[]): string {
  if (names.length === 0) return "none";
  const list = names.slice(0, 40).map((n) => `"${n}"`).join(", ");
  return names.length > 40 ? `${list}, ... (${names.length})` : list;
}

function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      next.push(Math.min((next[j - 1] ?? 0) + 1, (row[j] ?? 0) + 1, (row[j - 1] ?? 0) + same));
    }
    row = next;
  }
  return row[b.length] ?? limit;
}
