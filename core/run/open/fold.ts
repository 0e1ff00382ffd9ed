/** A model's parameters with its adapters merged into them. */
import { unsupported } from "../../base/errors.ts";
import { qualifyName } from "../../engine/builder/parameters.ts";
import { storedNames } from "../../engine/weights.ts";
import { transposeMatrix } from "../../math/transpose.ts";
import type { TensorForm } from "../../files/safetensors.ts";
import type { AttachedAdapter, InspectedBackbone, Middleware, Named, Tensor, TrainedModel } from "../../types.ts";

/** All hook points of `Middleware` (`satisfies` keeps the list complete): an adapter that uses one needs a `merge`. */
const hookPoints = Object.keys(
  {
    linear: true,
    embedding: true,
    attention: true,
    sublayer: true,
    layer: true,
  } satisfies Record<keyof Middleware, true>,
) as (keyof Middleware)[];

/** Inputs of merging. `parameterOf` returns a parameter of an adapter by its qualified name. */
export type MergeOptions = Readonly<{
  backbone: InspectedBackbone;
  attached: readonly AttachedAdapter[];
  parameterOf: (name: string) => Tensor<Float32Array>;
}>;

/**
 * Returns one parameter with all adapters merged into it, in order.
 *
 * @throws AttuneError if an adapter computes something that no weight can express.
 */
export function foldAdapters(
  name: string,
  value: Tensor<Float32Array>,
  { backbone, attached, parameterOf }: MergeOptions,
): Tensor<Float32Array> {
  if (attached.length === 0) return value;
  const conv1d = backbone.conv1ds.some((path) => name === `${path}.weight`);
  let result = conv1d ? turned(value) : value;
  for (const adapter of attached) {
    if (!adapter.merge) {
      const seam = hookPoints.find((seam) => adapter[seam]);
      if (seam) throw unsupported("merge", "adapter", adapter.name ?? seam, "it does not change weights");
      continue;
    }
    result = adapter.merge(name, result, (n) => parameterOf(qualifyName(adapter, n)));
  }
  return conv1d ? turned(result) : result;
}

/** A model's own parameters, read one at a time. `untied`: tensors that the model normally shares are separate. */
export type MergedTensors = Readonly<
  { forms: Named<TensorForm>; read: (name: string) => Promise<Tensor<Float32Array>>; untied: boolean }
>;

/** Returns a model's own parameters with adapters merged; shared tensors are separated if merging makes them differ. */
export async function mergedTensors(trained: TrainedModel): Promise<MergedTensors> {
  const { all, backbone, attached } = trained;
  const adapters: Record<string, Tensor<Float32Array>> = {};
  const forms: Record<string, TensorForm> = {};
  for (const [name, { adapter, shape }] of Object.entries(all)) {
    if (adapter) adapters[name] = await trained.read(name);
    else forms[name] = { dtype: "float32", dims: shape };
  }
  const options = {
    backbone,
    attached,
    parameterOf: (name: string): Tensor<Float32Array> => requireTensor(adapters, name),
  };
  const shared = Object.entries(backbone.ties).filter(([name, source]) => !(name in forms) && source in forms);
  const untied = Object.keys(backbone.ties).some((name) => name in forms) ||
    await canFoldSeparately(shared, trained.read, options);
  if (untied) { for (const [name, source] of shared) forms[name] = forms[source] as TensorForm; }
  const sources = new Map(shared);
  // If all modules have copies of a shared tensor, no parameter has its name, but the library's class still expects it.
  const stored = storedNames(trained.base.weights.names, backbone);
  const left = new Map<string, string>();
  for (const source of untied ? new Set(Object.values(backbone.ties)) : []) {
    const tensor = source in forms ? undefined : stored(source);
    const dims = tensor === undefined ? undefined : trained.base.weights.locate(tensor)?.dims;
    if (tensor === undefined || !dims) continue;
    forms[source] = { dtype: "float32", dims };
    left.set(source, tensor);
  }
  return {
    forms,
    untied,
    read: async (name) => {
      const tensor = left.get(name);
      if (tensor !== undefined) return await trained.base.weights.read(tensor);
      return foldAdapters(name, await trained.read(sources.get(name) ?? name), options);
    },
  };
}

/** Whether merging adapters gives different values to modules that share a tensor. */
export async function canFoldSeparately(
  shared: readonly (readonly [name: string, source: string])[],
  read: (name: string) => Promise<Tensor<Float32Array>>,
  options: MergeOptions,
): Promise<boolean> {
  if (options.attached.length === 0) return false;
  for (const [name, source] of shared) {
    const value = await read(source);
    const [folded, other] = [foldAdapters(name, value, options), foldAdapters(source, value, options)];
    if (folded !== other && folded.data.some((x, i) => x !== other.data[i])) return true;
  }
  return false;
}

function requireTensor(tensors: Named<Tensor<Float32Array>>, name: string): Tensor<Float32Array> {
  const tensor = tensors[name];
  if (!tensor) throw new RangeError(`No parameter "${name}" of an adapter`);
  return tensor;
}

function turned({ dtype, dims: [rows = 1, columns = 1], data }: Tensor<Float32Array>): Tensor<Float32Array> {
  return { dtype, dims: [columns, rows], data: transposeMatrix(data, rows, columns) };
}
