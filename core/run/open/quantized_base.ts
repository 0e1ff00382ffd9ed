/**
 * Base models that were quantized before they were saved: their codes cannot be trained, and their packed weights are
 * transposed for models that store weights as [in, out].
 */
import { inspect } from "../../engine/inspect.ts";
import { aliasesOf, initialWeights } from "../../engine/weights.ts";
import { trainsIn, trainsRule } from "../../engine/builder/parameters.ts";
import { show, unsupported } from "../../base/errors.ts";
import { createRandom } from "../../math/random.ts";
import { transposeMatrix } from "../../math/transpose.ts";
import type { Checkpoint, InspectedBackbone } from "../../types.ts";
import type { OpenRun } from "./open_run.ts";

/** Throws AttuneError that names the weights if a run would train weights that are stored as codes. */
export function refuseTrainedCodes({ checkpoint, attached, backbone, heads }: OpenRun): void {
  const { quantization, label } = checkpoint;
  if (!quantization) return;
  const { nameInCheckpoint } = initialWeights(checkpoint, attached, backbone, createRandom(0));
  const trains = trainsRule(attached);
  const trained = [...inspect({ backbone, attached, heads }).parameters.values()].filter((p) =>
    trainsIn(p, trains) && quantization.weights.has(nameInCheckpoint(p) ?? "")
  );
  const [first] = trained;
  if (!first) return;
  const others = trained.length > 1 ? ` and ${trained.length - 1} more` : "";
  throw unsupported(
    "spec",
    "adapter",
    `training of ${show(first.name)}${others}`,
    `weights of ${label} are quantized by ${quantization.method} and frozen: use an adapter (lora), or the ` +
      "original checkpoint",
  );
}

/** Returns a checkpoint whose packed weights [out, in] are read as [in, out], for models with Conv1D modules. */
export function transposeConv1ds(
  checkpoint: Checkpoint,
  backbone: Pick<InspectedBackbone, "conv1ds" | "baseModelPrefix" | "family">,
): Checkpoint {
  const { quantization, weights } = checkpoint;
  if (!quantization || backbone.conv1ds.length === 0) return checkpoint;
  const turns = turnedIn(checkpoint, backbone);
  const swapped = ([outputs = 1, inputs = 1]: readonly number[]): readonly number[] => [inputs, outputs];
  return {
    ...checkpoint,
    weights: {
      ...weights,
      read: async (name) => {
        const tensor = await weights.read(name);
        if (!turns(name)) return tensor;
        const [outputs = 1, inputs = 1] = tensor.dims;
        return { dtype: "float32", dims: [inputs, outputs], data: transposeMatrix(tensor.data, outputs, inputs) };
      },
      locate: (name) => {
        const at = weights.locate(name);
        return at && turns(name) ? { ...at, dims: swapped(at.dims) } : at;
      },
    },
  };
}

/** Whether a packed weight of a checkpoint is [in, out] in the model. */
export function turnedIn(
  { quantization }: Pick<Checkpoint, "quantization">,
  backbone: Pick<InspectedBackbone, "conv1ds" | "baseModelPrefix" | "family">,
): (name: string) => boolean {
  const names = new Set(backbone.conv1ds.flatMap((path) => aliasesOf(`${path}.weight`, backbone)));
  return (name) => names.has(name) && quantization?.weights.has(name) === true;
}
