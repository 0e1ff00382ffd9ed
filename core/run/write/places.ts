/**
 * What in a run spec says where something lies: paths, made absolute so that the spec means the same from everywhere.
 */
import { changeTexts, mapRoles } from "../../spec/roles.ts";
import type { Catalog, Json, Named } from "../../types.ts";

/** Whether a path may be a name of what comes with Attune, or of the hub. */
function mayBeName(path: string): boolean {
  return /^(attune:)?[\w-][\w.-]*(\/[\w.-]+)?(@[\w./-]+)?$/.test(path);
}

/** A spec with its paths as `place` gives them; `name`: the path may be a name, and is one where nothing lies there. */
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
