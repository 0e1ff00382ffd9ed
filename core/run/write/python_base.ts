/** Python code that loads a run's quantized base in the same form as the run. */
import { withHeads } from "../../engine/inspect.ts";
import type { OpenRun } from "../open/open_run.ts";

/**
 * Returns Hugging Face's quantization config with the same codes for the same modules; undefined if there is none. The
 * list of skipped modules replaces the default list, so it has to name every layer that is not quantized, heads too.
 */
export function pythonOf({ run, backbone, heads, checkpoint }: OpenRun): string | undefined {
  const [quantizer, another] = run.accelerators.filter(({ modules }) => modules !== undefined);
  if (!quantizer?.python || another || backbone.family.linearClass !== undefined) return undefined;
  const prefix = `${backbone.baseModelPrefix}.`;
  // In a model class without a head, module names have no prefix.
  const nameOf = (path: string): string =>
    heads.length === 0 && path.startsWith(prefix) ? path.slice(prefix.length) : path;
  const [keptNames, stored]: [string[], string[]] = [[], []];
  for (const path of withHeads(backbone, heads).linears) {
    (checkpoint.frozen?.storageOf(`${path}.weight`) ? stored : keptNames).push(nameOf(path));
  }
  // Hugging Face's default list contains the output layer over the vocabulary.
  const isDefault = keptNames.every((name) => name === "lm_head");
  return quantizer.python(isDefault ? undefined : skipList(keptNames, stored));
}

/** Returns the shortest entries that, by Hugging Face's rule, skip these modules and none of the `stored` ones. */
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

/** Whether an entry of `llm_int8_skip_modules` matches a name's start (up to a dot) or end; dots match anything. */
function skips(entry: string, name: string): boolean {
  return name.endsWith(entry) || new RegExp(`^(?:${entry})(?:(?<=\\.)|(?=\\.|$))`).test(name);
}
