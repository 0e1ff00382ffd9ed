/** Names of tensors: the module of one, and a list of them as errors show it. */
import { show } from "../../base/errors.ts";

/** The module that a parameter is of. */
export function moduleOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf(".")));
}

/** The first names of a list, and how many more there are. */
export function listNames(names: readonly string[]): string {
  const list = names.slice(0, 4).map((name) => show(name)).join(", ");
  return names.length > 4 ? `${list} and ${names.length - 4} more` : list;
}
