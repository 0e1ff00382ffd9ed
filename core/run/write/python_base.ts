/** What loads a run's quantized base in Python as the run had it. */
import { withHeads } from "../../engine/inspect.ts";
import type { OpenRun } from "../open/open_run.ts";

/**
 * Hugging Face's configuration of the same codes for the same modules; undefined if there is none. Its list of modules
 * takes the place of its own, so that every layer which stays as it is has to be in it, heads too.
 */
export function pythonOf({ run, backbone, heads, checkpoint }: OpenRun): string | undefined {
  const [quantizer, another] = run.accelerators.filter(({ modules }) => modules !== undefined);
  if (!quantizer?.python || another || backbone.family.linearClass !== undefined) return undefined;
  const prefix = `${backbone.baseModelPrefix}.`;
  // A class without a head has the model's names without their prefix.
  const nameOf = (path: string): string =>
    heads.length === 0 && path.startsWith(prefix) ? path.slice(prefix.length) : path;
  const [keptNames, stored]: [string[], string[]] = [[], []];
  for (const path of withHeads(backbone, heads).linears) {
    (checkpoint.frozen?.storageOf(`${path}.weight`) ? stored : keptNames).push(nameOf(path));
  }
  // An output over the vocabulary is in Hugging Face's own list.
  const isDefault = keptNames.every((name) => name === "lm_head");
  return quantizer.python(isDefault ? undefined : skipList(keptNames, stored));
}

/** Entries that skip these modules and none of the others, by Hugging Face's rule; each as short as can be. */
function skipList(modules: readonly string[], stored: readonly string[]): readonly string[] {
  const entries: string[] = [];
  for (const name of modules) {
    if (entries.some((entry) => skips(entry, name))) continue;
    const parts = name.split(".");
    const ends = parts.map((_, i) => parts.slice(parts.length - 1 - i).join("."));
    entries.push(ends.find((end) => !stored.some((other) => skips(end, other))) ?? name);
  }
  return entries;
}

/** Whether an entry of `llm_int8_skip_modules` is of a module: its beginning, up to a dot, or its end; dots mean anything. */
function skips(entry: string, name: string): boolean {
  return name.endsWith(entry) || new RegExp(`^(?:${entry})(?:(?<=\\.)|(?=\\.|$))`).test(name);
}
