/**
 * Checks of names that come from outside, for servers and runners alike: ids, lease tokens, file paths and model names
 * are checked before they are looked up or used in paths.
 */
import { badValue } from "../base/errors.ts";

/** Whether a text is the id of a job. */
export function isJobId(text: unknown): text is string {
  return typeof text === "string" && /^ftjob-[\w-]{1,64}$/.test(text);
}

/** Whether a text is the id of an uploaded file. */
export function isFileId(text: unknown): text is string {
  return typeof text === "string" && /^file-[\w-]{1,64}$/.test(text);
}

/** Whether a text may be a lease's token, of any server. */
export function isToken(text: unknown): text is string {
  return typeof text === "string" && /^[\w-]{1,128}$/.test(text);
}

/** Whether a text is the name of a job's result, such as `ft:org/model:attune::id`. */
export function isResultName(text: string): boolean {
  return /^ft:[\w.:/@-]{1,400}$/.test(text) && text.slice(3).split(/[/:@]/).every((part) => !/^\.+$/.test(part)) &&
    text.split("/").every((part) => part !== "");
}

/** Whether a text is the name of a model, such as `org/model@revision`. */
export function isModelName(text: string): boolean {
  return text === "attune:base" || /^\w[\w.-]*(\/\w[\w.-]*)?(@\w[\w.-]*)?$/.test(text);
}

/** Maximum characters of a part of a path, and maximum number of parts. */
const [MOST_CHARACTERS, MOST_PARTS] = [200, 16];

/** Returns the parts of a plain relative path; undefined if the text is not one. */
export function pathParts(text: unknown): readonly string[] | undefined {
  if (typeof text !== "string") return undefined;
  const parts = text.split("/");
  // Excludes everything that some file system does not treat as a plain name.
  const plain = (part: string): boolean =>
    part.length <= MOST_CHARACTERS && /^[^\\:*?"<>|\p{Cc}]+$/u.test(part) && !/^\.|[. ]$/.test(part);
  return parts.length <= MOST_PARTS && parts.every(plain) ? parts : undefined;
}

/** Returns the parts of a plain relative path. Throws AttuneError (`BAD_VALUE`) that names `whose` if it is not one. */
export function plainPath(plugin: string, whose: string, text: unknown): readonly string[] {
  const parts = pathParts(text);
  if (!parts) throw badValue(plugin, whose, text, "a plain relative path");
  return parts;
}
