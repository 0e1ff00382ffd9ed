/**
 * A checkpoint with room for tokens that its tokenizer was given: tables grow by rows that begin as the mean of the others.
 */
import { storedNames } from "../../engine/weights.ts";
import { sizeOf, type Tensor } from "../../base/tensor.ts";
import type { Checkpoint, InspectedBackbone, Store, Tokenizer } from "../../types.ts";

/** A checkpoint whose config has a row for each token, and whose files are those that the tokenizer changed. */
export function withTokens(checkpoint: Checkpoint, { changed, vocabSize }: Tokenizer): Checkpoint {
  if (!changed) return checkpoint;
  const { config, files } = checkpoint;
  const before = Number(config.vocab_size);
  // Tables are often longer than the tokenizer, and stay so.
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
 * The same checkpoint with its tables grown, as `resize_token_embeddings` of transformers grows them: rows of tables and
 * of output layers, and their biases, begin as means (that library draws them within 1e-9 of the variance around it).
 * `shapes`: of what the model and its heads ask for, by name.
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

/** A table [rows, ...] with further rows that are means of its own; a row [1, n] with zeros. */
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
