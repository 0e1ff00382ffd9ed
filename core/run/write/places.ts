/**
 * The paths in a run spec, which are made absolute so that the spec means the same in every folder.
 */
import { changeTexts, mapRoles } from "../../spec/roles.ts";
import type { Catalog, Json, Named } from "../../types.ts";

/** Whether a path may also be the name of something bundled with Attune or on the hub. */
function mayBeName(path: string): boolean {
  return /^(attune:)?[\w-][\w.-]*(\/[\w.-]+)?(@[\w./-]+)?$/.test(path);
}

/** Returns a spec whose paths are replaced by `place`. `name`: the path may also be a name. */
export function placedPaths(
  spec: Named<Json>,
  catalog: Catalog,
  place: (path: string, name: boolean) => string,
): Named<Json> {
  return mapRoles(spec, catalog, (value, role, at) => {
    if (role.role !== "path" && role.role !== "cache") return value;
    const hub = role.role === "path" && role.hub === true;
    return changeTexts(value, at, (path) => place(path, hub && mayBeName(path)));
  });
}
