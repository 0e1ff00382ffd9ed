/** Opened tasks whose weights are stored or multiplied in formats of the run's accelerators or of the checkpoint. */
import { accelerateWeights } from "../../engine/frozen_weights.ts";
import { withHeads } from "../../engine/inspect.ts";
import { storedNames } from "../../engine/weights.ts";
import type { Checkpoint, FrozenStorage } from "../../types.ts";
import type { OpenRun } from "./open_run.ts";

/**
 * Returns the tasks over a checkpoint with the formats of weights that no task trains, and of products over the others.
 *
 * @throws AttuneError if an accelerator names modules that do not exist, or finds no weight to store.
 */
export function withAcceleratedWeights(tasks: readonly OpenRun[]): readonly OpenRun[] {
  const [first] = tasks;
  if (!first) return tasks;
  const { run, checkpoint } = first;
  const heads = tasks.flatMap((task) => task.heads);
  const backbone = withHeads(first.backbone, heads);
  const body = new Set(first.backbone.linears);
  const { weights } = checkpoint;
  const { frozen, products } = accelerateWeights({
    accelerators: run.accelerators,
    checkpoint,
    backbone,
    heads: new Set(
      backbone.linears.filter((path) => !body.has(path) && !path.startsWith(`${backbone.baseModelPrefix}.`)),
    ),
    modulesToSave: heads.flatMap((head) => backbone.heads[head.name]?.modulesToSave ?? head.modulesToSave),
    trains: (name) => tasks.some(({ attached }) => trains(first, attached, name)),
    isAdapted: tasks.some(({ attached }) => attached.length > 0) || hasAdapter(first),
    nameInCheckpoint: storedNames(weights.names, backbone),
  });
  const complete = { ...checkpoint, ...(frozen ? { frozen } : {}), ...(products ? { products } : {}) };
  return frozen || products ? tasks.map((task) => ({ ...task, checkpoint: complete })) : tasks;
}

/** Whether a run's spec has an adapter. A server loads and unloads adapters, so the attached ones do not decide. */
function hasAdapter({ run: { spec } }: OpenRun): boolean {
  return [spec.adapter ?? []].flat().length > 0;
}

/** Whether a parameter of the model trains with the given adapters; a run without adapters trains every parameter. */
function trains(run: OpenRun, attached: OpenRun["attached"], name: string): boolean {
  for (const adapter of attached.toReversed()) {
    const answer = adapter.isTrainable?.(name);
    if (answer !== undefined) return answer;
  }
  return attached.length === 0 && !hasAdapter(run);
}

/**
 * Returns a run's checkpoint as if it had been saved with its accelerators' codes. Weights in formats without evenly
 * spaced values stay as they are.
 */
export function encodedCheckpoint({ checkpoint, backbone, heads }: OpenRun): Checkpoint {
  const { frozen, weights } = checkpoint;
  const stored = storedNames(weights.names, backbone);
  const codes = new Map<string, Readonly<{ name: string; storage: FrozenStorage }>>();
  for (const path of withHeads(backbone, heads).linears) {
    const name = `${path}.weight`;
    const [tensor, storage] = [stored(name), frozen?.storageOf(name)];
    if (tensor !== undefined && storage) codes.set(tensor, { name, storage });
  }
  if (!frozen || codes.size === 0) return checkpoint;
  return {
    ...checkpoint,
    quantization: { method: "accelerators", weights: new Set(codes.keys()) },
    weights: {
      ...weights,
      formatOf: (name) => codes.get(name)?.storage.format,
      encoded: async (name) => {
        const code = codes.get(name);
        return code && await frozen.encode(code.name, () => weights.read(name));
      },
      locate: (name) => {
        const at = weights.locate(name);
        const code = codes.get(name);
        return at && code ? { ...at, dims: code.storage.weight.dims } : at;
      },
    },
  };
}
