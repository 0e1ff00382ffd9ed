/**
 * The context that a run gives the transforms of its data. It is attached to the host that data sets are opened with,
 * so that data sets within others, as in a mixture, get it too.
 */
import type { Dataset, Host, RowColumns, SplitName, TransformContext } from "../types.ts";

/** The context of the transforms of a run's data, in addition to the host. */
export type DataContext = Readonly<{
  seed: number;
  split?: SplitName;
  columns?: RowColumns | undefined;
  splits?: TransformContext["splits"];
  tokenizer?: (host: Host) => ReturnType<TransformContext["tokenizer"]>;
}>;

/** The context of transforms outside a run. */
const NO_RUN: DataContext = { seed: 42 };

const contexts = new WeakMap<Host, DataContext>();

/** The original host of each host with a context. */
const origins = new WeakMap<Host, Host>();

/** Returns the context of transforms that are opened with this host. */
export function contextIn(host: Host): DataContext {
  return contexts.get(host) ?? NO_RUN;
}

/** Returns the original of a host with a context. */
export function originOf(host: Host): Host {
  return origins.get(host) ?? host;
}

/** Returns a data set whose transforms, and those of data sets within it, get a context. */
export function inContext(dataset: Dataset, context: DataContext): Dataset {
  const hosts = new WeakMap<Host, Host>();
  const hostFor = (host: Host): Host => {
    // Hosts with the context of another split have the same original.
    const origin = originOf(host);
    const scoped = hosts.get(origin) ?? Object.defineProperties({}, Object.getOwnPropertyDescriptors(origin)) as Host;
    if (hosts.has(origin)) return scoped;
    hosts.set(origin, scoped);
    origins.set(scoped, origin);
    contexts.set(scoped, context);
    return scoped;
  };
  return { ...dataset, open: async (host) => await dataset.open(hostFor(host)) };
}
