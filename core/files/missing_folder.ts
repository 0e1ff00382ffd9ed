/**
 * Errors for files missing from a folder that the user named: most often the folder's name is mistyped.
 */
import { badFile, missing, nearest, show } from "../base/errors.ts";
import type { Host } from "../types.ts";

/** Returns the error for a missing file, which says whether its folder exists, and suggests one of a similar name. */
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
