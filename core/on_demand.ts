/**
 * Composing a run from plugins that are imported as they are asked for: a process that does one run need not read them all.
 * @module
 */
import { compose } from "./compose.ts";
import { type PluginPackage, withPackages } from "./packages.ts";
import type { Catalog, Entry, Kind, Run, RunSpec } from "./types.ts";

/** Where each plugin is: what imports it, by kind and name. */
export type Imports = { readonly [K in Kind]?: { readonly [use: string]: () => Promise<Entry> } };

/** Kinds of which a run may ask for any when it is opened or written, whatever its spec names. */
const WHOLE: readonly Kind[] = ["model", "architecture", "tokenizer", "exporter"];

/**
 * Composes a run as {@link compose} does, importing the plugins that its spec names, those that they name in turn, and all
 * models, sources, tokenizers and exporters. Plugins of `packages` are there besides.
 *
 * @throws AttuneError (`BAD_SPEC`) that lists every error of the spec.
 * @example
 * ```ts
 * import { composeOnDemand } from "attune";
 * import { imports } from "attune/imports";
 * const run = await composeOnDemand({
 *   version: 1,
 *   model: { use: "pretrained", with: { path: "./model" } },
 *   task: { use: "sequence-classification", with: { labels: ["bad", "good"] } },
 *   data: { train: { use: "memory", with: { rows: [{ text: "fine", label: "good" }] } } },
 * }, imports);
 * console.assert(run.optimizer.name === "adamw");
 * ```
 */
export async function composeOnDemand(
  spec: RunSpec,
  imports: Imports,
  packages: readonly PluginPackage[] = [],
): Promise<Run> {
  const entries: Record<string, Record<string, Entry>> = {};
  const load = async (kind: Kind, use: string): Promise<void> => {
    const entry = await imports[kind]?.[use]?.();
    if (entry) (entries[kind] ??= {})[use] = entry;
  };
  const named = wordsIn(spec);
  const first: Promise<void>[] = [];
  for (const [kind, uses] of Object.entries(imports) as [Kind, object][]) {
    entries[kind] = {};
    for (const use of Object.keys(uses)) {
      entries[kind][use] = absent(kind, use);
      if (named.has(use) || WHOLE.includes(kind)) first.push(load(kind, use));
    }
  }
  await Promise.all(first);
  for (;;) {
    try {
      return compose(spec, withPackages(entries as Catalog, packages));
    } catch (error) {
      if (!(error instanceof NotImported)) throw error;
      await load(error.entry.kind, error.entry.use);
    }
  }
}

/** Thrown where an entry is asked for anything but its name before it is there. */
class NotImported extends Error {
  readonly entry: Pick<Entry, "kind" | "use">;
  constructor(entry: Pick<Entry, "kind" | "use">) {
    super(`The ${entry.kind} "${entry.use}" is not imported yet`);
    this.entry = entry;
  }
}

/** Stands where an entry will be: its name is known, so that errors can list it. */
function absent(kind: Kind, use: string): Entry {
  const missing = (): never => {
    throw new NotImported({ kind, use });
  };
  return {
    kind,
    use,
    get schema() {
      return missing();
    },
    get roles() {
      return missing();
    },
    parse: missing,
  };
}

/** Every string of a spec, down to rows. */
function wordsIn(value: unknown, found: Set<string> = new Set(), depth = 0): Set<string> {
  if (typeof value === "string") found.add(value);
  else if (typeof value === "object" && value !== null && depth < 12) {
    for (const inner of Object.values(value)) wordsIn(inner, found, depth + 1);
  }
  return found;
}
