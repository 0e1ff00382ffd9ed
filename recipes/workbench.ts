/** The workbench of a recipe, which its caller provides: a command, a test, a page or an endpoint. */
import { compose } from "../core/spec/compose.ts";
import { AttuneError } from "../core/base/errors.ts";
import { train } from "../core/run/train/train_whole.ts";
import type { Catalog, Host, Json, Named, RunSpec, Store } from "../core/types.ts";
import { storeWithin } from "../core/files/within.ts";
import { memory } from "../plugins/stores/memory.ts";
import { readJson } from "../core/files/json_files.ts";

/** Metrics of a run, and of each of its tasks if it has several. */
export type Metrics = Named<number> & Readonly<{ tasks?: Named<Named<number>> }>;

/** Settings of training a recipe's spec. `output`: the folder for the run's results. */
export type TrainSettings = Readonly<{ output: string; resume: boolean; threads?: number }>;

/** The environment of a recipe. */
export type Workbench = Readonly<{
  /** Returns the host, which has folders. */
  host(): Promise<Host>;
  /** Returns the plugins that a spec may name. */
  catalog(): Promise<Catalog>;
  /** Trains a spec and returns its last metrics. Throws if the run does not finish. */
  train(spec: Named<Json>, settings: TrainSettings): Promise<Metrics>;
  /**
   * Runs the search of a spec; returns the metrics of the winner, trained once more, the values by which it was chosen,
   * and, if there are test rows, the metrics of the unchanged spec. Absent if no process with files can run it.
   */
  search?(
    spec: Named<Json>,
    settings: TrainSettings,
  ): Promise<Readonly<{ metrics: Metrics; params: Named<Json>; usual: Metrics }>>;
  /** Trains a spec once for each fold; returns the mean and interval of each metric. Absent like `search`. */
  crossvalidate?(
    spec: Named<Json>,
    settings: TrainSettings & Readonly<{ folds: number; stratify?: string }>,
  ): Promise<Named<Readonly<{ mean: number; interval: readonly [number, number] }>>>;
  /** Prints a text of one or more lines. */
  say(text: string): void;
}>;

/** Creates a workbench that trains in this process. A host without folders gets folders in memory. */
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
      // The log shows a later attempt whether this one finished.
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

/** Returns a folder of a host. Throws AttuneError if the host has no folders. */
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
