/**
 * What a model card calls the base: a name of the hub, or the last part of a path; never where it lies on this machine.
 */
import type { OpenRun } from "../open/open.ts";

/** A repository of the hub, as its cards may name it. */
const HUB = /^[A-Za-z0-9][\w.-]*(\/[A-Za-z0-9][\w.-]*)?$/;

/** What a trainer's folders end with, which a config may name as if it were a repository. */
const FOLDER = /\/(checkpoint-\d+|model|output|outputs|results)$/;

/**
 * The base of a run for its card. `hub`: the repository that it is, or by its config was made from; undefined where the hub
 * would not know it. `shown`: for readers.
 */
export function baseName({ checkpoint, host }: Pick<OpenRun, "checkpoint" | "host">): { hub?: string; shown: string } {
  const { label, config } = checkpoint;
  const folderOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf("/"), path.lastIndexOf("\\")));
  const isHere = (path: string): boolean => {
    const whole = host.resolve?.(path) ?? path;
    const isFile = /\.gguf$/i.test(path);
    if (isFile && folderOf(path) === "") return true;
    return path.startsWith(".") || host.names?.(isFile ? folderOf(whole) : whole) !== undefined;
  };
  const isRooted = /^([/\\~]|[A-Za-z]:[\\/])/.test(label) || isHere(label);
  const shown = isRooted ? label.split(/[\\/]/).findLast((part) => part !== "") ?? label : label;
  const origin = config._name_or_path;
  const named = isRooted ? "" : label.replace(/@[^/]*/, "").replace(/^([^/]+\/[^/]+)\/[^/]+\.gguf$/i, "$1");
  if (HUB.test(named)) return { hub: named, shown };
  const isOrigin = typeof origin === "string" && origin.includes("/") && HUB.test(origin) && !FOLDER.test(origin);
  return isOrigin && !isHere(origin) ? { hub: origin, shown } : { shown };
}
