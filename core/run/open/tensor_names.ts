/** Names of tensors: the module in a name, and lists of names for errors. */
import { show } from "../../base/errors.ts";

/** Returns the module of a parameter: its name up to the last dot. */
export function moduleOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf(".")));
}

/** Returns a text with the first four names and the number of further ones. */
export function listNames(names: readonly string[]): string {
  const list = names.slice(0, 4).map((name) => show(name)).join(", ");
  return names.length > 4 ? `${list} and ${names.length - 4} more` : list;
}
