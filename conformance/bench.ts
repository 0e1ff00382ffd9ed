/**
 * The bench on which checks run plugins: a tiny model, its tokenizer, rows and all other parts of a run, in memory.
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

/** Options of checks of every kind. Missing ones are replaced by defaults, or the checks that need them are skipped. */
export type BenchFigures = Readonly<{
  /** An onnxruntime module; without it, checks that run a model are skipped. */
  lib?: Ort;
  /** The host, used with the `lib` above. Default: a host in memory. */
  host?: Host;
  /** Plugins that the plugin's own parts or options refer to. */
  catalog?: Catalog;
  /** Replacements for parts of the tiny run: another model, task, tokenizer or rows. */
  base?: Named<unknown>;
}>;

/** Runs of the tiny model, or of its replacement. */
export interface Bench {
  readonly host: Host;
  readonly catalog: Catalog;
  /** Returns a spec with further parts. */
  spec(parts: Named<unknown>, training?: Named<Json>): RunSpec;
  /** Trains such a spec and returns its events. */
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

/** Name of the missing option if figures have no `lib`. */
export const NO_LIB = "figures.lib, an onnxruntime module";

/** Returns a spec of the tiny run with further parts. */
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

/** Returns a composed run of the tiny model. */
export function tinyRun({ catalog, base }: BenchFigures): Run {
  return compose(specOf(base, {}), catalogOf(catalog));
}

/** Creates the bench of figures; undefined without onnxruntime. */
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

/** Returns a catalog extended by the bench's own plugins; for equal names, the catalog's plugin is used. */
function catalogOf(catalog: Catalog = {}): Catalog {
  const all: Record<string, Named<Entry>> = { ...catalog };
  for (const [kind, entries] of Object.entries(tiny)) {
    all[kind] = { ...Object.fromEntries(entries.map((entry) => [entry.use, entry])), ...all[kind] };
  }
  return all as Catalog;
}

/** Returns a plugin as a catalog entry. */
export function entryOf<K extends Kind>(plugin: Plugin<K>): Entry<K> {
  return {
    kind: plugin.kind,
    use: plugin.name,
    schema: anyOptions,
    roles: plugin.roles ?? {},
    parse: () => ({ value: plugin as unknown as Kinds[K] }),
  };
}

/** Returns the losses of step events. */
export function lossesIn(events: readonly TrainingEvent[]): number[] {
  return events.flatMap((event) => (event.type === "step" ? [event.loss] : []));
}

/** Returns the metrics of the last evaluation event. */
export function evaluationIn(events: readonly TrainingEvent[]): Named<number> {
  return events.findLast((event) => event.type === "evaluate")?.metrics ?? {};
}

/** Returns the training data of a run, or the tiny rows. */
export function rowsOf(open: OpenRun): Dataset {
  return open.data.train ?? rowsInSpec({ rows: tinyRows });
}

export { memoryHost, memoryStore, withFolders };
