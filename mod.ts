/**
 * Attune fine-tunes transformer language models in TypeScript, on stock ONNX Runtime.
 *
 * @example
 * ```ts
 * import { compose, trainRun } from "attune";
 * import { catalog } from "attune/catalog";
 * import { node } from "attune/node";
 * const run = compose({
 *   version: 1,
 *   model: { use: "pretrained", with: { path: "./model" } },
 *   task: { use: "sequence-classification", with: { labels: ["negative", "positive"] } },
 *   data: { train: { use: "reviews" } },
 *   adapter: { use: "lora", with: { r: 8 } },
 * }, catalog);
 * console.assert(typeof trainRun === "function" && typeof node === "function" && run.adapters.length === 1);
 * ```
 * @module
 */
export { bootstrap } from "./core/statistics/bootstrap.ts";
export { byteCount } from "./core/base/byte_count.ts";
export { compose } from "./core/spec/compose.ts";
export { toSpec } from "./core/spec/to_spec.ts";
export { composeOnDemand } from "./core/spec/on_demand.ts";
export {
  allowOnly,
  type Imports,
  loadCatalog,
  loaderOf,
  type PluginImport,
  type PluginLoader,
} from "./core/spec/loader.ts";
export { define, isPlugin } from "./core/spec/define.ts";
export { AttuneError } from "./core/base/errors.ts";
export { activation } from "./core/graph/activations.ts";
export { type Capabilities, capabilities } from "./core/graph/capabilities.ts";
export * from "./core/graph/ops/functions.ts";
export { type Dim, Graph, type Node, type Shape, type Value, type Values } from "./core/graph/graph.ts";
export { print } from "./core/graph/print.ts";
export { backward, type Gradient, gradients } from "./core/graph/autodiff.ts";
export { createEngine, type Engine } from "./core/engine/engine.ts";
export type { EngineOptions } from "./core/engine/engine_options.ts";
export { classReader } from "./core/data/class_reader.ts";
export { labelNames, measurer, type MetricAccumulator, type PlainRow } from "./core/evaluation/metric_accumulator.ts";
export { mergeAdapters } from "./formats/peft/merge/adapters.ts";
export type { MergedAdapter, MergeOptions } from "./formats/peft/merge/merged_adapter.ts";
export { writeMerged } from "./formats/peft/merge/write_adapter.ts";
export { type MergeMethod, mergeMethods } from "./formats/peft/merge/methods.ts";
export { packagesOf, type PluginPackage, withPackages } from "./core/spec/packages.ts";
export { matches, matchModules } from "./core/patterns/module_patterns.ts";
export { createRandom, permutation, philox4x32 } from "./core/math/random.ts";
export { type AdapterPool, openAdapterPool, type Stack } from "./core/inference/adapter_pool.ts";
export { importanceShares, importancesOf } from "./core/statistics/importances.ts";
export { type CorrectedInterval, correctedInterval, type FoldFigures } from "./core/statistics/corrected_interval.ts";
export { divideRows, type FoldOptions } from "./core/data/folds.ts";
export { evaluateRun } from "./core/run/evaluate/evaluate.ts";
export { predictRows } from "./core/run/evaluate/infer.ts";
export { type OpenRun, openRun } from "./core/run/open/open.ts";
export { proposeFit } from "./core/run/plan/fit.ts";
export { planRun } from "./core/run/plan/plan.ts";
export { trainRun } from "./core/run/train/train.ts";
export { train, type TrainedRun, type TrainWholeOptions } from "./core/run/train/train_whole.ts";
export { dequantizeInt8, quantizeInt8 } from "./core/files/int8.ts";
export { epochOrder } from "./core/data/sampling.ts";
export {
  openSafetensors,
  openWeights,
  parseSafetensorsHeader,
  readSafetensors,
  streamSafetensors,
  toFloat32,
  writeSafetensors,
} from "./core/files/safetensors.ts";
export { bytesPerElement, f32, i32, sizeOf, type TensorData } from "./core/base/tensor.ts";
export type * from "./core/types.ts";
export { VERSION } from "./core/base/version.ts";
