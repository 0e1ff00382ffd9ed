/**
 * Checkpoints with room for tokens added to the tokenizer: tables grow by rows that start as the mean of the others.
 */
import { storedNames } from "../../engine/weights.ts";
import { sizeOf, type Tensor } from "../../base/tensor.ts";
import type { Checkpoint, InspectedBackbone, Store, Tokenizer } from "../../types.ts";

/** Returns a checkpoint whose `vocab_size` covers all tokens of the tokenizer, with the files that it changed. */
export function withTokens(checkpoint: Checkpoint, { changed, vocabSize }: Tokenizer): Checkpoint {
  if (!changed) return checkpoint;
  const { config, files } = checkpoint;
  const before = Number(config.vocab_size);
  // Tables often have more rows than the tokenizer has tokens, and keep them.
  const grows = Number.isFinite(before) && before < vocabSize;
  const overlay: Store = {
    ...files,
    get: async (key, range) => {
      const bytes = changed[key];
      if (!bytes) return await files.get(key, range);
      const { offset = 0, length = bytes.length } = range ?? {};
      return { key, size: bytes.length, revision: "changed", bytes: bytes.slice(offset, offset + length) };
    },
  };
  return {
    ...checkpoint,
    files: overlay,
    ...(grows ? { config: { ...config, vocab_size: vocabSize }, vocabSizeBefore: before } : {}),
  };
}

/**
 * Returns a checkpoint with its tables grown as by `resize_token_embeddings` of transformers: new rows of embeddings
 * and output layers, and new biases, are means of the old ones (the library adds noise with 1e-9 times their
 * covariance).
 * `shapes`: shapes of the parameters of the model and its heads, by name.
 */
export function withGrownTables(
  checkpoint: Checkpoint,
  backbone: Pick<InspectedBackbone, "baseModelPrefix" | "family" | "ties" | "vocabSize">,
  shapes: ReadonlyMap<string, readonly number[]>,
): Checkpoint {
  const { vocabSizeBefore: before, weights } = checkpoint;
  if (before === undefined) return checkpoint;
  const find = storedNames(weights.names, backbone);
  const newShapes = new Map<string, readonly number[]>();
  const parameters: string[] = [];
  for (const [name, shape] of shapes) {
    const tensor = find(name);
    const dims = tensor === undefined ? undefined : weights.locate(tensor)?.dims;
    const at = shape.indexOf(backbone.vocabSize);
    if (tensor === undefined || dims?.length !== shape.length || dims[at] !== before) continue;
    newShapes.set(tensor, shape);
    parameters.push(name);
  }
  return {
    ...checkpoint,
    grownParameters: parameters,
    weights: {
      ...weights,
      read: async (name) => {
        const shape = newShapes.get(name);
        const tensor = await weights.read(name);
        return shape ? withMeans(tensor, shape) : tensor;
      },
      quantized: async (name) => (newShapes.has(name) ? undefined : await weights.quantized?.(name)),
      formatOf: (name) => (newShapes.has(name) ? undefined : weights.formatOf?.(name)),
      part: (name) => (newShapes.has(name) ? undefined : weights.part?.(name)),
      locate: (name) => {
        const at = weights.locate(name);
        const dims = newShapes.get(name);
        return at && dims ? { ...at, file: undefined, dtype: "float32", dims, bytes: 4 * sizeOf(dims) } : at;
      },
    },
  };
}

/** Extends a table [rows, ...] to `shape` with rows that are means of its rows, or a single row [1, n] with zeros. */
function withMeans({ dims, data }: Tensor<Float32Array>, shape: readonly number[]): Tensor<Float32Array> {
  const values = new Float32Array(sizeOf(shape));
  values.set(data);
  const [rows = 1] = dims;
  if (rows === shape[0]) return { dtype: "float32", dims: shape, data: values };
  const width = sizeOf(shape.slice(1));
  const mean = new Float64Array(width);
  for (let i = 0; i < data.length; i++) mean[i % width] = (mean[i % width] ?? 0) + (data[i] ?? 0);
  for (let i = data.length; i < values.length; i++) values[i] = (mean[i % width] ?? 0) / rows;
  return { dtype: "float32", dims: shape, data: values };
}
