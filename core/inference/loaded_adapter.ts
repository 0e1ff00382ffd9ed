/** Loaded adapters, and stacks of them over one opened model. */
import { inspect } from "../engine/inspect.ts";
import { checkDims } from "../engine/weights.ts";
import { badFile, badValue, missing } from "../base/errors.ts";
import { sha256 } from "../base/sha256.ts";
import { reachable } from "../graph/graph.ts";
import { print } from "../graph/print.ts";
import { checkSaved } from "../run/open/complete_adapter.ts";
import { attachAdapter, type OpenRun, replaceAdapters } from "../run/open/open.ts";
import type { AttachedAdapter, Checkpoint, Tensor, Use, Weights } from "../types.ts";

/** Tensors by name. */
export type Tensors = ReadonlyMap<string, Tensor<Float32Array>>;

/** An adapter and the tensors of its file. Adapters of the same `kind` do the same computation with other values. */
export type LoadedAdapter = Readonly<{ attached: AttachedAdapter; tensors: Tensors; kind: string }>;

/**
 * Loads a saved adapter.
 *
 * @throws AttuneError if it is not a saved adapter, or belongs to another model.
 */
export async function loadAdapter(base: OpenRun, name: string, adapter: Use<"adapter">): Promise<LoadedAdapter> {
  const attached = await attachAdapter(base, base.run.use("adapter", adapter));
  if (!attached.weights) throw badValue("adapters", name, adapter, "a saved adapter: one with `from`");
  const tensors = new Map<string, Tensor<Float32Array>>();
  for (const tensor of attached.weights.names) tensors.set(tensor, await attached.weights.read(tensor));
  return { attached, tensors, kind: await kindOf(base, attached, tensors, name) };
}

/** Returns the kind of a stack: the kinds of its adapters, in order. */
export function kindOfStack(members: readonly LoadedAdapter[]): string {
  return members.map(({ kind }) => kind).join("\n");
}

/** Returns the adapter kinds in the kind of a stack. */
export function kindsOf(kind: string): readonly string[] {
  return kind.split("\n");
}

/** Returns a model with a stack of adapters attached. `merged`: tensors that replace those of the checkpoint. */
export function openStack(base: OpenRun, members: readonly LoadedAdapter[], merged: Tensors): OpenRun {
  // Adapters are named by their index in the stack, so that all stacks of the same kind share a program.
  const attached = members.map(({ attached }, i) => ({
    ...attached,
    weights: undefined,
    name: members.length > 1 ? String(i) : undefined,
  }));
  const { backbone } = base;
  const untied = [...backbone.untied ?? [], ...Object.keys(backbone.ties).filter((name) => merged.has(name))];
  return replaceAdapters(
    { ...base, backbone: { ...backbone, untied }, checkpoint: overlaid(base.checkpoint, merged) },
    attached,
  );
}

/**
 * Returns a hash of everything that adapters must have in common to share a session: all but the values fed to it.
 *
 * @throws AttuneError if the adapter belongs to another model: tensors with other dims, or of missing layers.
 */
async function kindOf(base: OpenRun, attached: AttachedAdapter, tensors: Tensors, name: string): Promise<string> {
  const open = replaceAdapters(base, [{ ...attached, weights: undefined, name: undefined }]);
  const { graph, parameters } = inspect(open);
  const fed = new Set<string>();
  for (const [key, { dims }] of tensors) {
    const p = parameters.get(key) ?? parameters.get(`${base.backbone.baseModelPrefix}.${key}`);
    if (p) checkDims(p, dims, `adapter "${name}"`);
    if (p) fed.add(p.name);
  }
  checkSaved(open, { ...attached, weights: { ...weightsInMemory(tensors), label: name }, name: undefined }, [
    ...parameters.values(),
  ]);
  if (fed.size === 0) throw badFile("adapters", name, `has no tensor that ${base.checkpoint.label} has a place for`);
  const constants = reachable([...graph.outputs.values()]).flatMap(({ inputs }) =>
    inputs.flatMap((value) => {
      const origin = value && graph.origin(value);
      return origin?.kind === "constant" && origin.tensor.data.length > 1 ? [`${origin.tensor.data}`] : [];
    })
  );
  // Parameters that are not fed are initialized by the adapter's config.
  const hasNew = [...parameters.values()].some((p) => p.adapter && !fed.has(p.name));
  const config = hasNew ? JSON.stringify(attached.record?.config ?? name) : "";
  return await sha256([print(graph), ...constants, ...[...fed].sort(), config].join("\n"));
}

/** Returns tensors in memory as weights. */
export function weightsInMemory(tensors: Tensors): Weights {
  return {
    names: [...tensors.keys()],
    read: async (name) => tensors.get(name) ?? await Promise.reject(missing("adapters", name, "the adapter")),
    locate: () => undefined,
  };
}

/** Returns a checkpoint with some of its tensors replaced. */
function overlaid(checkpoint: Checkpoint, tensors: Tensors): Checkpoint {
  if (tensors.size === 0) return checkpoint;
  const { weights, frozen } = checkpoint;
  return {
    ...checkpoint,
    // The codes of a weight do not contain what was merged into it.
    ...(frozen
      ? { frozen: { ...frozen, storageOf: (name) => (tensors.has(name) ? undefined : frozen.storageOf(name)) } }
      : {}),
    weights: {
      ...weights,
      names: [...new Set([...weights.names, ...tensors.keys()])],
      read: async (name) => tensors.get(name) ?? await weights.read(name),
      quantized: async (name) => (tensors.has(name) ? undefined : await weights.quantized?.(name)),
      locate: (name) => (tensors.has(name) ? undefined : weights.locate(name)),
    },
  };
}
