/**
 * What a run tells the transforms of its data, wherever these stand: it goes along with the host that data sets are opened
 * with, so that those within others, as in a mixture, are told the same.
 */
import type { Dataset, Host, RowColumns, SplitName, TransformContext } from "../types.ts";

/** What the transforms of a run's data are told, besides the host. */
export type DataContext = Readonly<{
  seed: number;
  split?: SplitName;
  columns?: RowColumns | undefined;
  splits?: TransformContext["splits"];
  tokenizer?: (host: Host) => ReturnType<TransformContext["tokenizer"]>;
}>;

/** The seed of transforms that stand in no run. */
const NO_RUN: DataContext = { seed: 42 };

const contexts = new WeakMap<Host, DataContext>();

/** The hosts of which others, with a context, are made. */
const origins = new WeakMap<Host, Host>();

/** What transforms are told that are opened with this host. */
export function contextIn(host: Host): DataContext {
  return contexts.get(host) ?? NO_RUN;
}

/** The host that one with a context was made of. */
export function originOf(host: Host): Host {
  return origins.get(host) ?? host;
}

/** The same data set, whose transforms, and those of data sets within it, are told what a run knows. */
export function inContext(dataset: Dataset, context: DataContext): Dataset {
  const hosts = new WeakMap<Host, Host>();
  const hostFor = (host: Host): Host => {
    // Of another split's context it is the same host.
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
