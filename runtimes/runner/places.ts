/**
 * Paths that a runner writes to: below its work folder, by names that {@link plainPath} and its like have accepted, and
 * checked again on the disk, where a link may lead elsewhere.
 */
import { realpath } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { badValue } from "../../core/base/errors.ts";
import { makeFolder } from "../host/make_folder.ts";

/** Returns the path of a file below a folder, which is created. Throws AttuneError if it would be outside. */
export async function placeBelow(root: string, parts: readonly string[]): Promise<string> {
  await makeFolder(root);
  const resolved = await realpath(root);
  const path = join(root, ...parts);
  let nearest = dirname(path);
  let real: string | undefined;
  while ((real = await realpath(nearest).catch(() => undefined)) === undefined) nearest = dirname(nearest);
  const way = relative(resolved, real);
  if (way === ".." || way.startsWith(`..${sep}`) || join(resolved, way) !== real) {
    throw badValue("runner", "path", parts.join("/"), `a path below ${root}`);
  }
  await makeFolder(dirname(path));
  return path;
}
