/**
 * Conformance checks of plugins: properties that all plugins of a kind must have. They work with any test runner.
 * @module
 */
import type { Kind, Kinds } from "../kit.ts";
import { adapterChecks, type AdapterFigures } from "./adapter.ts";
import { type BenchFigures, benchOf, memoryHost, NO_LIB, tinyRun } from "./bench.ts";
import { acceleratorChecks, type AcceleratorFigures } from "./accelerator.ts";
import { collatorChecks, type CollatorFigures } from "./collator.ts";
import { exporterChecks, type ExporterFigures } from "./exporter.ts";
import { headChecks, type HeadFigures } from "./head.ts";
import { architectureChecks, type ArchitectureFigures, configChecks } from "./architecture.ts";
import { taskChecks, type TaskFigures } from "./task.ts";
import { regularizerChecks, type RegularizerFigures } from "./regularizer.ts";
import { searchChecks, type SearchFigures } from "./search.ts";
import { prunerChecks } from "./pruner.ts";
import { modelChecks, type ModelFigures } from "./model.ts";
import { tinyWords } from "./tiny/words.ts";
import { tokenizerChecks, type TokenizerFigures } from "./tokenizer.ts";
import { trainerChecks } from "./trainer.ts";
import { transformChecks, type TransformFigures } from "./transform.ts";
import { callbackChecks, type CallbackFigures } from "./callback.ts";
import { type Check, needing } from "./check.ts";
import { dataChecks, type DataFigures } from "./data.ts";
import { loggerChecks, type LoggerFigures } from "./logger.ts";
import { lossChecks, type LossExample, lossExample } from "./loss.ts";
import { metricChecks, type MetricFigures } from "./metric.ts";
import { optimizerChecks, type OptimizerFigures } from "./optimizer.ts";
import { pluginChecks } from "./plugin.ts";
import { queueChecks, type QueueUnderTest } from "./queue.ts";
import { scheduleChecks } from "./schedule.ts";
import { storeChecks, type StoreFigures } from "./store.ts";

/** Options of each kind's checks beside {@link BenchFigures}: reference numbers, examples, hosts. */
export interface KindFigures {
  model: ModelFigures;
  architecture: ArchitectureFigures;
  tokenizer: TokenizerFigures;
  collator: CollatorFigures;
  head: HeadFigures;
  task: TaskFigures;
  regularizer: RegularizerFigures;
  accelerator: AcceleratorFigures;
  exporter: ExporterFigures;
  search: SearchFigures;
  data: DataFigures;
  transform: TransformFigures;
  loss: Partial<LossExample>;
  adapter: AdapterFigures;
  optimizer: Partial<OptimizerFigures>;
  metric: MetricFigures;
  callback: CallbackFigures;
  logger: LoggerFigures;
  store: StoreFigures;
  queue: Partial<QueueUnderTest>;
}

/** Options of the checks of a plugin. */
export type Figures<K extends Kind = Kind> = BenchFigures & (K extends keyof KindFigures ? KindFigures[K] : object);

type Batteries = { readonly [K in Kind]: (plugin: Kinds[K], figures: Figures<K>) => readonly Check[] };

const batteries: Batteries = {
  model: (plugin, figures) => modelChecks(plugin, figures, figures.host ?? memoryHost(figures.lib)),
  architecture: (plugin, figures) => [
    ...configChecks(plugin, figures),
    ...needing(
      benchOf(figures) && figures.config,
      `figures.config and ${NO_LIB}`,
      (config) => architectureChecks(plugin, figures, config),
    ),
  ],
  tokenizer: (plugin, figures) => tokenizerChecks(plugin, figures, figures.host ?? memoryHost(figures.lib)),
  data: (plugin, figures) => dataChecks(plugin, figures, figures.host ?? memoryHost(figures.lib)),
  transform: (plugin, figures) => transformChecks(plugin, figures, figures.host ?? memoryHost(figures.lib)),
  collator: (plugin, figures) => collatorChecks(plugin, figures, tinyWords),
  head: (plugin, figures) => needing(benchOf(figures), NO_LIB, (bench) => headChecks(plugin, figures, bench)),
  loss: (plugin, { output, target }) => lossChecks(plugin, output && target ? { output, target } : lossExample(plugin)),
  task: (plugin, figures) => needing(benchOf(figures), NO_LIB, (bench) => taskChecks(plugin, figures, bench)),
  adapter: (plugin, figures) => needing(benchOf(figures), NO_LIB, (bench) => adapterChecks(plugin, figures, bench)),
  optimizer: optimizerChecks,
  schedule: scheduleChecks,
  regularizer: (plugin, figures) =>
    needing(benchOf(figures), NO_LIB, (bench) => regularizerChecks(plugin, figures, bench)),
  accelerator: acceleratorChecks,
  metric: metricChecks,
  callback: callbackChecks,
  logger: (plugin, figures) =>
    loggerChecks(plugin, figures.host ?? memoryHost(figures.lib), figures.run ?? tinyRun(figures)),
  store: (plugin, { open, host, lib }) => storeChecks(open ?? (() => plugin.open(host ?? memoryHost(lib)))),
  exporter: (plugin, figures) => needing(benchOf(figures), NO_LIB, (bench) => exporterChecks(plugin, figures, bench)),
  search: searchChecks,
  pruner: prunerChecks,
  queue: (plugin, { open, shortest = 0.4, host, lib }) =>
    queueChecks({ open: open ?? (async () => ({ queue: await plugin.open(host ?? memoryHost(lib)) })), shortest }),
  trainer: (plugin, figures) => needing(benchOf(figures), NO_LIB, (bench) => trainerChecks(plugin, bench)),
};

/**
 * Returns the checks of a plugin, to be run by any test runner.
 *
 * @example
 * ```ts
 * import { checksOf } from "attune/conformance";
 * import { linear } from "attune/schedules/linear";
 * for (const check of checksOf(linear({ warmupSteps: 3 }))) await check.run();
 * ```
 */
export function checksOf<K extends Kind>(
  plugin: Kinds[K] & { readonly kind: K },
  figures?: Figures<K>,
): readonly Check[] {
  const battery = batteries[plugin.kind] as unknown as (plugin: Kinds[K], figures: object) => readonly Check[];
  return [...pluginChecks(plugin, plugin.kind), ...battery(plugin, figures ?? {})];
}

/**
 * Runs every check of a plugin.
 *
 * @throws Error that lists the failed checks.
 * @example
 * ```ts
 * import { conform } from "attune/conformance";
 * import { accuracy } from "attune/metrics/accuracy";
 * await conform(accuracy());
 * ```
 */
export async function conform<K extends Kind>(
  plugin: Kinds[K] & { readonly kind: K },
  figures?: Figures<K>,
): Promise<void> {
  const failed: string[] = [];
  for (const { name, run } of checksOf(plugin, figures)) {
    try {
      await run();
    } catch (error) {
      failed.push(`${name}\n${(error instanceof Error ? error.message : String(error)).replace(/^/gm, "  ")}`);
    }
  }
  if (failed.length > 0) throw new Error(`${plugin.kind} "${plugin.name}" fails:\n${failed.join("\n")}`);
}

export type { AcceleratorFigures } from "./accelerator.ts";
export type { CollatorFigures } from "./collator.ts";
export type { ExporterFigures } from "./exporter.ts";
export type { HeadFigures } from "./head.ts";
export type { ArchitectureFigures } from "./architecture.ts";
export type { TaskFigures } from "./task.ts";
export type { RegularizerFigures } from "./regularizer.ts";
export type { SearchFigures } from "./search.ts";
export type { ModelFigures } from "./model.ts";
export type { TokenizerFigures } from "./tokenizer.ts";
export type { AdapterClaims, AdapterFigures } from "./adapter.ts";
export { type BenchFigures, memoryHost, memoryStore } from "./bench.ts";
export type { CallbackFigures } from "./callback.ts";
export type { Check } from "./check.ts";
export type { DataFigures } from "./data.ts";
export type { TransformFigures } from "./transform.ts";
export { loggedEvents, type LoggerFigures, watchedStore } from "./logger.ts";
export type { LossExample } from "./loss.ts";
export type { MetricFigures } from "./metric.ts";
export type { OptimizerFigures } from "./optimizer.ts";
export { queueChecks, type QueueUnderTest } from "./queue.ts";
export { storeChecks, type StoreFigures } from "./store.ts";
