/** Merges a stack of adapters into the model's weights. */
import { inspect } from "../engine/inspect.ts";
import { initialWeights } from "../engine/weights.ts";
import { badValue } from "../base/errors.ts";
import { createRandom } from "../math/random.ts";
import { canFoldSeparately, foldAdapters } from "../run/open/fold.ts";
import type { OpenRun } from "../run/open/open.ts";
import type { Tensor } from "../types.ts";
import type { LoadedAdapter, Tensors } from "./loaded_adapter.ts";

/**
 * Returns the tensors that change when a stack is merged into an opened model.
 *
 * @throws AttuneError if an adapter's file is incomplete, or an adapter computes something that no weight can express.
 */
export async function foldStack(open: OpenRun, members: readonly LoadedAdapter[]): Promise<Tensors> {
  const parameterOf = (name: string): Tensor<Float32Array> => {
    const place = members.findIndex((_, i) => open.attached[i]?.name !== undefined && name.startsWith(`${i}/`));
    const tensor = members[Math.max(0, place)]?.tensors.get(place < 0 ? name : name.slice(`${place}/`.length));
    if (!tensor) throw badValue("adapters", "merge", name, "a complete adapter file");
    return tensor;
  };
  const initial = initialWeights(open.checkpoint, [], open.backbone, createRandom(open.run.training.seed));
  const changed = new Map<string, Tensor<Float32Array>>();
  const { parameters } = inspect(open);
  const options = { backbone: open.backbone, attached: open.attached, parameterOf };
  // An adapter's file may also have a module's whole weight.
  const wholeOf = (name: string): Tensor<Float32Array> | undefined =>
    members.findLast((m) => m.tensors.has(name))?.tensors.get(name);
  for (const p of parameters.values()) {
    const tensor = wholeOf(p.name);
    if (p.adapter || (!tensor && initial.isNew(p))) continue;
    const value = tensor ?? await initial.readStored(p);
    const folded = foldAdapters(p.name, value, options);
    // An adapter's copy of a shared tensor remains a separate tensor without the adapter.
    if (tensor || folded !== value || p.name in open.backbone.ties) changed.set(p.name, folded);
  }
  // Shared tensors are separated if merging gives them different values.
  const read = async (name: string): Promise<Tensor<Float32Array>> => {
    const p = parameters.get(name);
    if (!p) throw new RangeError(`No parameter "${name}"`);
    return wholeOf(name) ?? await initial.readStored(p);
  };
  const shared = Object.entries(open.backbone.ties).filter(([name, from]) =>
    !parameters.has(name) && parameters.has(from)
  );
  if (await canFoldSeparately(shared, read, options)) {
    for (const [name, from] of shared) changed.set(name, foldAdapters(name, await read(from), options));
  }
  return changed;
}
