/**
 * Folders that are named and lack what they should have: most often they are not there at all, since a name was mistyped.
 */
import { badFile, missing, nearest, show } from "../base/errors.ts";
import type { Host } from "../types.ts";

/** Why a file is not in the folder at a path: there is no such folder (and perhaps one of nearly this name), or not the file. */
export function missingIn(
  plugin: string,
  file: string,
  path: string,
  host: Pick<Host, "names" | "resolve">,
  advice = "",
): Error {
  const full = (host.resolve?.(path) ?? path).replace(/[\\/]+$/, "");
  if (!host.names || host.names(full)) return missing(plugin, file, path, advice);
  const cut = Math.max(full.lastIndexOf("/"), full.lastIndexOf("\\"));
  const [above, name] = [full.slice(0, Math.max(cut, 1)), full.slice(cut + 1)];
  const beside = host.names(above);
  if (beside?.includes(name)) return badFile(plugin, path, "is not a folder");
  const near = beside && nearest(name, beside.filter((other) => !other.startsWith(".")));
  return badFile(plugin, path, `does not exist${near === undefined ? "" : `, did you mean ${show(near)}?`}`);
}
