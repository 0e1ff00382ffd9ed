/**
 * Names that come from outside, for servers and runners alike: an id, a lease's token, a file's path, a model's name is
 * what these say, before anything is looked up by it, and paths are made of nothing else.
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

/** Whether a text is a lease's token, whatever server has made it. */
export function isToken(text: unknown): text is string {
  return typeof text === "string" && /^[\w-]{1,128}$/.test(text);
}

/** Whether a text is the name of what a job has made, as `ft:org/model:attune::id`. */
export function isMadeName(text: string): boolean {
  return /^ft:[\w.:/@-]{1,400}$/.test(text) && text.slice(3).split(/[/:@]/).every((part) => !/^\.+$/.test(part)) &&
    text.split("/").every((part) => part !== "");
}

/** Whether a text is the name of a model, as `org/model@revision`. */
export function isModelName(text: string): boolean {
  return text === "attune:base" || /^\w[\w.-]*(\/\w[\w.-]*)?(@\w[\w.-]*)?$/.test(text);
}

/** Files of one folder may have so long names, and paths so many parts. */
const [MOST_CHARACTERS, MOST_PARTS] = [200, 16];

/** The parts of a plain relative path; undefined if the text is not one. */
export function pathParts(text: unknown): readonly string[] | undefined {
  if (typeof text !== "string") return undefined;
  const parts = text.split("/");
  // Nothing that a file system of any kind reads as more than a name.
  const plain = (part: string): boolean =>
    part.length <= MOST_CHARACTERS && /^[^\\:*?"<>|\p{Cc}]+$/u.test(part) && !/^\.|[. ]$/.test(part);
  return parts.length <= MOST_PARTS && parts.every(plain) ? parts : undefined;
}

/** The parts of a plain relative path. Throws AttuneError (`BAD_VALUE`) that says whose it is where a text is none. */
export function plainPath(plugin: string, whose: string, text: unknown): readonly string[] {
  const parts = pathParts(text);
  if (!parts) throw badValue(plugin, whose, text, "a plain relative path");
  return parts;
}
