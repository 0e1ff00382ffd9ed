/** How modules of an adapter are named in a base, and which of its tensors several modules share. */
import { missing, refused, show } from "../../../core/base/errors.ts";
import type { SharedTensors } from "../../../core/run/open/shared_tensors.ts";
import type { Weights } from "../../../core/types.ts";
import type { AdapterParts } from "./adapter_parts.ts";
import type { OpenedAdapter } from "./config.ts";
import { wrappedLayer } from "../wrapped_key.ts";

/** What becomes of shared tensors. `apart`: those that get a tensor of their own, by whose they were; `sameAs`: those that do not. */
export type Shared = Readonly<
  { apart: ReadonlyMap<string, string>; storedAs(name: string): string; sameAs(name: string): boolean }
>;

/** Tensors are told apart where an adapter changes what one module has of them and not, or not alike, the others. */
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
  const apart = !together && ties.some(([name, source]) => trained(name) || trained(source)) ? ties : [];
  const of = new Map(ties);
  const sameAs = (name: string): boolean => together && of.has(name) && trained(of.get(name) ?? "");
  return { apart: new Map(apart), storedAs: (name) => of.get(name) ?? name, sameAs };
}

/** Whether a key is of a module's own weight, beside what adapts it. */
const isBaseLayer = (key: string): boolean => key.includes(wrappedLayer);

/** Names of the adapted model in a base that may be the model without its head, or with one. */
export type BaseNames = Readonly<{ inBase(name: string): string; out(stored: string): string }>;

/** Finds how an adapter's modules are named in a base. Throws AttuneError if one is not there. */
export function namesIn(base: Weights, adapted: readonly string[], whole: readonly string[], label: string): BaseNames {
  const there = new Set(base.names);
  // What an adapter brings whole need not be there: a head that it adapts, too.
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
  // A head beside a model without one: its tensors get the names of the model with the head.
  const named = way === bare && whole.some((name) => !there.has(bare(name)) && !name.startsWith(prefix));
  return { inBase: way, out: (stored) => (named && there.has(stored) ? prefix + stored : stored) };
}
