/**
 * The name of the base in a model card: a repository of the hub, or the last part of a path; never a local path.
 */
import type { OpenRun } from "../open/open.ts";

/** Pattern of repository names that cards of the hub may have. */
const HUB = /^[A-Za-z0-9][\w.-]*(\/[A-Za-z0-9][\w.-]*)?$/;

/** Pattern of a trainer's output folders, which a config may name as if they were repositories. */
const FOLDER = /\/(checkpoint-\d+|model|output|outputs|results)$/;

/**
 * Returns the base of a run for its card. `hub`: the repository of the base, or the one that its config names as its
 * origin; undefined if neither can be on the hub. `shown`: the name for readers.
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
