/**
 * Where checks run plugins: a tiny model, its tokenizer, rows and every other part of a run, on a machine in memory.
 */
import { compose } from "../core/spec/compose.ts";
import { type OpenRun, openRun } from "../core/run/open/open.ts";
import { trainRun } from "../core/run/train/train.ts";
import type {
  Catalog,
  Dataset,
  Entry,
  Host,
  Json,
  Kind,
  Kinds,
  Named,
  Ort,
  Plugin,
  Run,
  RunSpec,
  Store,
  TrainingEvent,
} from "../kit.ts";
import { memoryHost, memoryStore, withFolders } from "./tiny/host.ts";
import { placesCollator, placesHead, placesLoss, placesTask } from "./tiny/places.ts";
import { tinyFamily, tinyModel } from "./tiny/network.ts";
import {
  rowsInSpec,
  tinyAdapterFiles,
  tinyCollator,
  tinyHead,
  tinyLoss,
  tinyModelFiles,
  tinyOptimizer,
  tinyRows,
  tinySchedule,
  tinyTask,
} from "./tiny/task.ts";
import { anyOptions, tinyTokenizer } from "./tiny/words.ts";

/** What checks of every kind may be given. What is not given is the checks' own, or passed over by name. */
export type BenchFigures = Readonly<{
  /** An onnxruntime module: without one nothing is computed with a model. */
  lib?: Ort;
  /** The machine; its `lib` is the one above. Default: one in memory. */
  host?: Host;
  /** Plugins that the plugin's own parts or options name. */
  catalog?: Catalog;
  /** What stands in for the tiny run's parts: another model, task, tokenizer or rows. */
  base?: Named<unknown>;
}>;

/** Runs of the tiny model, or of what stands in for it. */
export interface Bench {
  readonly host: Host;
  readonly catalog: Catalog;
  /** A spec with further parts. */
  spec(parts: Named<unknown>, training?: Named<Json>): RunSpec;
  /** The events of a run of it. */
  train(parts: Named<unknown>, training?: Named<Json>, output?: Store, host?: Host): Promise<TrainingEvent[]>;
  open(parts: Named<unknown>, host?: Host): Promise<OpenRun>;
}

const tiny: { readonly [K in Kind]?: readonly Entry<K>[] } = {
  model: [tinyModel],
  architecture: [tinyFamily],
  tokenizer: [tinyTokenizer],
  data: [rowsInSpec],
  collator: [tinyCollator, placesCollator],
  head: [tinyHead, placesHead],
  loss: [tinyLoss, placesLoss],
  task: [tinyTask, placesTask],
  optimizer: [tinyOptimizer],
  schedule: [tinySchedule],
  exporter: [tinyModelFiles, tinyAdapterFiles],
};

/** Why nothing is computed where figures have no `lib`. */
export const NO_LIB = "figures.lib, an onnxruntime module";

/** A spec of the tiny run with further parts. */
function specOf(base: Named<unknown> | undefined, parts: Named<unknown>, training: Named<Json> = {}): RunSpec {
  return {
    version: 1,
    name: "conformance",
    model: "tiny",
    tokenizer: "tiny-words",
    task: "tiny-classes",
    data: { train: "tiny-rows", eval: "tiny-rows" },
    optimizer: "tiny-descent",
    schedule: "tiny-constant",
    ...base,
    ...parts,
    training: { learningRate: 0.05, maxSteps: 4, perDeviceTrainBatchSize: 4, seed: 3, ...training },
  } as unknown as RunSpec;
}

/** A run of the tiny model, composed. */
export function tinyRun({ catalog, base }: BenchFigures): Run {
  return compose(specOf(base, {}), catalogOf(catalog));
}

/** The bench of some figures; undefined if nothing can be computed. */
export function benchOf(figures: BenchFigures): Bench | undefined {
  const lib = figures.lib ?? figures.host?.lib;
  if (!lib) return undefined;
  const host = figures.host ?? memoryHost(lib);
  const catalog = catalogOf(figures.catalog);
  const spec: Bench["spec"] = (parts, training) => specOf(figures.base, parts, training);
  return {
    host,
    catalog,
    spec,
    train: async (parts, training, output, on = host) => {
      const events: TrainingEvent[] = [];
      for await (const event of trainRun(compose(spec(parts, training), catalog), on, output ? { output } : {})) {
        events.push(event);
      }
      return events;
    },
    open: async (parts, on = host) => await openRun(compose(spec(parts), catalog), on),
  };
}

/** A catalog with the bench's own parts beside what it has; where both have a name, it is the catalog's. */
function catalogOf(catalog: Catalog = {}): Catalog {
  const all: Record<string, Named<Entry>> = { ...catalog };
  for (const [kind, entries] of Object.entries(tiny)) {
    all[kind] = { ...Object.fromEntries(entries.map((entry) => [entry.use, entry])), ...all[kind] };
  }
  return all as Catalog;
}

/** A plugin as a catalog's entry. */
export function entryOf<K extends Kind>(plugin: Plugin<K>): Entry<K> {
  return {
    kind: plugin.kind,
    use: plugin.name,
    schema: anyOptions,
    roles: plugin.roles ?? {},
    parse: () => ({ value: plugin as unknown as Kinds[K] }),
  };
}

/** Losses of the steps among events. */
export function lossesIn(events: readonly TrainingEvent[]): number[] {
  return events.flatMap((event) => (event.type === "step" ? [event.loss] : []));
}

/** The last evaluation among events. */
export function evaluationIn(events: readonly TrainingEvent[]): Named<number> {
  return events.findLast((event) => event.type === "evaluate")?.metrics ?? {};
}

/** The rows that a spec trains on. */
export function rowsOf(open: OpenRun): Dataset {
  return open.data.train ?? rowsInSpec({ rows: tinyRows });
}

export { memoryHost, memoryStore, withFolders };
