/**
 * The API for writing plugins. Built-in plugins import nothing else of this package except the blocks of their kind.
 * @module
 */

// Defining a plugin: its factory and all types.
export { define, isPlugin } from "./core/spec/define.ts";
export { pluginOption, role, secretOption } from "./blocks/options/mod.ts";
export { mapRoles, type NamedPart, partsIn, type RoleChange, rolesOf } from "./core/spec/roles.ts";
export { revealSecret } from "./core/spec/secrets.ts";
export type * from "./core/types.ts";

// Errors that name what was found, where, and what is allowed.
export {
  AttuneError,
  badFile,
  badKey,
  badValue,
  type ErrorDetails,
  missing,
  nearest,
  noMatch,
  refused,
  refuseLfsPointer,
  show,
  storeFailed,
  tooMuch,
  unknownName,
  unsupported,
} from "./core/base/errors.ts";
export type { DataContext } from "./core/spec/data_context.ts";
export { transformRows } from "./core/spec/transformed.ts";
export { notInstalled } from "./core/base/not_installed.ts";

// Graphs: values, operations and gradients.
export * from "./core/graph/ops/functions.ts";
export { activation } from "./core/graph/activations.ts";
export { chunkedLogits } from "./core/graph/chunked_logits.ts";
export { addDims, type Dim, mulDims, seqDim, type Shape, sizeOfShape } from "./core/graph/ops/dims.ts";
export {
  type Append,
  Graph,
  type Node,
  type Purpose,
  type RequestedOp,
  type Rewrite,
  type Value,
  type Values,
} from "./core/graph/graph.ts";
export type { Op } from "./core/graph/ops/ops.ts";
export { print } from "./core/graph/print.ts";
export { backward, gradients } from "./core/graph/autodiff.ts";

// Tensors and their files.
export { bytesPerElement, f32, i32, sizeOf } from "./core/base/tensor.ts";
export {
  fromFloat32,
  openSafetensors,
  openWeights,
  readSafetensors,
  streamSafetensors,
  toFloat32,
  viewOf,
  weightFiles,
  writeSafetensors,
} from "./core/files/safetensors.ts";
export { adviceOn, fileNamesIn, missingWeights } from "./core/files/other_weights.ts";
export { shardIndex } from "./core/files/weight_shards.ts";

// Math with the same results on every machine: `math.exp(x)` takes a number, whereas `exp(x)` takes a graph's value.
export * as math from "./core/math/math.ts";
export {
  createRandom,
  fillNormal,
  fillUniform,
  permutation,
  type Random,
  seekablePermutation,
} from "./core/math/random.ts";
export { driftText } from "./core/run/write/drift_text.ts";
export { type FinalFigures, whatOf } from "./core/run/write/final_figures.ts";
export { epochOrder } from "./core/data/sampling.ts";
export { divideRows } from "./core/data/folds.ts";
export { qr, topSingular } from "./core/math/linear_algebra.ts";
export { columnsIn, valuesIn, valuesOf } from "./core/data/compared_rows.ts";
export { type HashPart, inParts, isInPart } from "./core/data/hash_parts.ts";
export { createHashTable, type HashTable } from "./core/data/hash_table.ts";
export { createMarks, type Marks } from "./core/data/marks.ts";
export { type Hash, hashOf, mixBits } from "./core/data/text_hash.ts";
export { sha256 } from "./core/base/sha256.ts";
export { cachedJson } from "./core/data/cached.ts";
export { seekable } from "./core/data/seekable.ts";
export type { SeekableRows } from "./core/data/seekable_rows.ts";
export { type IndexedLines, type Line, openLines } from "./core/data/line_index.ts";
export { type IndexedRecords, openRecords, type RecordForm, type RecordsPlace } from "./core/data/record_index.ts";
export { most } from "./core/base/most.ts";

// Searches: the options of a trial, and errors of a search space.
export { chooseIn, isThere, pathsInOrder, wrongSpace } from "./core/spec/search_space.ts";
export { predictionLine } from "./core/evaluation/predictions.ts";
export { quantileOf } from "./core/statistics/intervals.ts";
export { type MeanInterval, meanInterval, rowsInterval } from "./core/statistics/resampled.ts";
export { logNormalDensity, logNormalMass, truncatedQuantile } from "./core/statistics/truncated_normal.ts";

// Texts, patterns and the names of modules.
export { linearPattern, type Pattern } from "./core/patterns/linear_pattern.ts";
export { cacheCharSet, type CharSet, fixedWidth, type PatternNode } from "./core/patterns/node.ts";
export { searchFor } from "./core/patterns/search.ts";
export { layerIndex, matches, matchModules, patternValue } from "./core/patterns/module_patterns.ts";

// Files, JSON and stores.
export { allBytes, joinBytes, jsonBytes, jsonFileBytes, jsonIn } from "./core/base/bytes.ts";
export { isObject, jsonObject, strictJson } from "./core/base/json.ts";
export { keyParts } from "./core/files/store_key.ts";
export { missingIn } from "./core/files/missing_folder.ts";
export { storeQueue } from "./core/jobs/store_queue.ts";
export { readProto } from "./core/onnx/proto_reader.ts";
export { writeProto } from "./core/onnx/proto_writer.ts";
export { storeWithin } from "./core/files/within.ts";

// Classes: their names in configs and in rows.
export { asNumber, classReader } from "./core/data/class_reader.ts";
export { classNames, type HeadClasses, headClasses, labelConfig, unnamedClasses } from "./core/data/class_names.ts";
export { VERSION } from "./core/base/version.ts";
