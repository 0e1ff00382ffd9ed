/** The workbench of a recipe: what its caller brings, be it a command, a test, a page or an endpoint. */
import { compose } from "../core/spec/compose.ts";
import { AttuneError } from "../core/base/errors.ts";
import { train } from "../core/run/train/train_whole.ts";
import type { Catalog, Host, Json, Named, RunSpec, Store } from "../core/types.ts";
import { storeWithin } from "../core/files/within.ts";
import { memory } from "../plugins/stores/memory.ts";
import { readJson } from "../core/files/json_files.ts";

/** Metrics of a run, and of each of its tasks where it has several. */
export type Metrics = Named<number> & Readonly<{ tasks?: Named<Named<number>> }>;

/** How a recipe's spec is trained. `output`: the folder for what the run leaves. */
export type TrainSettings = Readonly<{ output: string; resume: boolean; threads?: number }>;

/** What a recipe works with. */
export type Workbench = Readonly<{
  /** The machine. It has folders. */
  host(): Promise<Host>;
  /** The plugins that a spec may name. */
  catalog(): Promise<Catalog>;
  /** Trains a spec and gives its last metrics. Throws where the run does not come to its end. */
  train(spec: Named<Json>, settings: TrainSettings): Promise<Metrics>;
  /**
   * Searches as a spec says; gives the figures of the winner, trained once more, and the values that it was chosen by, and
   * those of the spec as it is, where there are test rows to see both on. Absent if no process has files for it.
   */
  search?(
    spec: Named<Json>,
    settings: TrainSettings,
  ): Promise<Readonly<{ metrics: Metrics; params: Named<Json>; usual: Metrics }>>;
  /** Trains a spec once for each fold; gives the mean and interval of each figure. Absent as `search` is. */
  crossvalidate?(
    spec: Named<Json>,
    settings: TrainSettings & Readonly<{ folds: number; stratify?: string }>,
  ): Promise<Named<Readonly<{ mean: number; interval: readonly [number, number] }>>>;
  /** Tells whoever watches a text of one or more lines. */
  say(text: string): void;
}>;

/** A workbench that trains where it is called. A host without folders gets folders in memory, which live as long as it. */
export async function createWorkbench(
  host: Host,
  catalog: Catalog,
  say: (text: string) => void = () => {},
): Promise<Workbench> {
  const complete = host.directory ? host : await withFolders(host);
  return {
    host: () => Promise.resolve(complete),
    catalog: () => Promise.resolve(catalog),
    train: async (spec, { output, resume, threads = host.threads }) => {
      const store = folderOf(complete, output);
      if (!resume) await checkEmpty(store, output);
      // The log tells a later attempt whether this one came to its end.
      const run = compose({ loggers: ["jsonl"], ...spec } as unknown as RunSpec, catalog);
      const { metrics } = await train(run, threads === undefined ? complete : { ...complete, threads }, {
        output: store,
        resume,
      });
      return (await readJson(store, "metrics.json") ?? metrics) as Metrics;
    },
    say,
  };
}

/** A folder of a host. Throws AttuneError if the host has none. */
export function folderOf(host: Host, path: string): Store {
  const store = host.directory?.(path);
  if (store) return store;
  throw new AttuneError(`${path}: this host has no folders`, { code: "UNSUPPORTED", plugin: "recipe", path });
}

async function checkEmpty(store: Store, path: string): Promise<void> {
  for await (const _ of store.list("")) {
    const details = { code: "USAGE", plugin: "recipe", path };
    throw new AttuneError(`${path} is not empty: pass \`resume\` to continue it, or another \`output\``, details);
  }
}

async function withFolders(host: Host): Promise<Host> {
  const files = await memory().open(host);
  return {
    ...host,
    directory: (path) => storeWithin(files, `${path.replaceAll(/^\/+|\/+$/g, "")}/`),
    resolve: (path) => path,
  };
}
