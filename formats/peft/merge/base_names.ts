/** Names of an adapter's modules in a base, and the base's tensors that several modules share. */
import { missing, refused, show } from "../../../core/base/errors.ts";
import type { SharedTensors } from "../../../core/run/open/shared_tensors.ts";
import type { Weights } from "../../../core/types.ts";
import type { AdapterParts } from "./adapter_parts.ts";
import type { OpenedAdapter } from "./config.ts";
import { wrappedLayer } from "../wrapped_key.ts";

/**
 * How shared tensors are treated. `untied`: the source of each tensor that becomes separate; `staysTied`: whether a tensor
 * keeps being shared.
 */
export type Shared = Readonly<
  { untied: ReadonlyMap<string, string>; storedAs(name: string): string; staysTied(name: string): boolean }
>;

/** Decides which shared tensors become separate: those that an adapter does not change alike for all their modules. */
export function sharedIn(
  base: Weights,
  adapter: OpenedAdapter,
  modules: AdapterParts["modules"],
  whole: AdapterParts["tensors"],
  shared: Pick<SharedTensors, "ties"> | undefined,
): Shared {
  const has = (name: string): boolean =>
    base.names.some((baseName) => baseName === name || name.endsWith(`.${baseName}`) || baseName.endsWith(`.${name}`));
  const ties = Object.entries(shared?.ties ?? {}).filter(([name, source]) => has(source) && !has(name));
  const trained = (name: string): boolean =>
    modules.has(name.slice(0, name.lastIndexOf("."))) || (whole.has(name) && !isBaseLayer(whole.get(name) ?? ""));
  const together = adapter.config.ensure_weight_tying === true;
  const untied = !together && ties.some(([name, source]) => trained(name) || trained(source)) ? ties : [];
  const of = new Map(ties);
  const staysTied = (name: string): boolean => together && of.has(name) && trained(of.get(name) ?? "");
  return { untied: new Map(untied), storedAs: (name) => of.get(name) ?? name, staysTied };
}

/** Whether a key is that of a wrapped module's own weight, not of its adapter. */
const isBaseLayer = (key: string): boolean => key.includes(wrappedLayer);

/** Conversion of names between the adapted model and a base, which may be that model with or without its head. */
export type BaseNames = Readonly<{ inBase(name: string): string; out(stored: string): string }>;

/** Finds the names of an adapter's modules in a base. Throws AttuneError if one is missing there. */
export function namesIn(base: Weights, adapted: readonly string[], whole: readonly string[], label: string): BaseNames {
  const there = new Set(base.names);
  // The base may lack tensors that the adapter has in full, even of a head that it adapts.
  const brought = new Set(whole);
  const others = adapted.filter((name) => !brought.has(name));
  const asked = others.length > 0 ? others : adapted;
  if (adapted.length === 0 && whole.length === 0) throw refused("merge", `${label} adapts nothing`);
  const first = (name: string): string => name.slice(0, name.indexOf(".") + 1);
  const prefix = first(asked[0] ?? whole[0] ?? "");
  const outer = [...new Set(base.names.map(first))].filter((p) => p !== "");
  const same = (name: string): string => name;
  const bare = (name: string): string => (name.startsWith(prefix) ? name.slice(prefix.length) : name);
  const ways: readonly ((name: string) => string)[] = [same, bare, ...outer.map((p) => (name: string) => p + name)];
  const way = ways.find((of) => asked.every((name) => there.has(of(name))));
  if (!way) {
    const lost = asked.find((name) => !there.has(name)) ?? "";
    throw missing("merge", `tensor ${show(lost)}, which ${label} adapts,`, "the base");
  }
  // If a head is added to a model without one, the model's tensors get their names in the model with the head.
  const named = way === bare && whole.some((name) => !there.has(bare(name)) && !name.startsWith(prefix));
  return { inBase: way, out: (stored) => (named && there.has(stored) ? prefix + stored : stored) };
}
