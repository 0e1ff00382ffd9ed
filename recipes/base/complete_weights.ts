/** Weights of small models that start with some weights of another model. */
import { inspect, inspectBackbone } from "../../core/engine/inspect.ts";
import { initialWeights } from "../../core/engine/weights.ts";
import { createRandom } from "../../core/math/random.ts";
import { f32, type Tensor } from "../../core/base/tensor.ts";
import type { Host, Json, Named, Weights } from "../../core/types.ts";
import { bart } from "../../plugins/architectures/bart.ts";
import { bert } from "../../plugins/architectures/bert.ts";
import { llama } from "../../plugins/architectures/llama.ts";
import { noFiles } from "../../blocks/model/mod.ts";

/** Returns a model's tensors, with missing ones drawn at random. `base`: the source of the existing tensors. */
export async function completeWeights(
  host: Host,
  config: Named<Json>,
  tensors: Named<Tensor<Float32Array>>,
  base = "attune:base",
): Promise<Named<Tensor<Float32Array>>> {
  const model = [bart(), bert(), llama()].find(({ modelTypes }) => modelTypes.includes(String(config.model_type)));
  if (!model) throw new Error(`No starter is a ${config.model_type}`);
  const names = Object.keys(tensors);
  const backbone = inspectBackbone(model.read(config, names));
  const weights: Weights = {
    names,
    read: (name) => Promise.resolve(tensors[name] ?? f32([0], [])),
    locate: () => undefined,
  };
  const checkpoint = { config, files: noFiles, weights, label: "starter", fingerprint: () => Promise.resolve("") };
  const initial = initialWeights(checkpoint, [], backbone, createRandom(42));
  const all: Record<string, Tensor<Float32Array>> = {};
  const parameters = [...inspect({ backbone, attached: [], heads: [] }).parameters.values()];
  for (const p of parameters) all[p.name] = await initial.read(p);
  const drawn = parameters.filter((p) => initial.isNew(p)).map((p) => p.name);
  const shown = drawn.slice(0, 6).join(", ");
  host.terminal?.write(`${drawn.length} parameters are not in ${base} and start at random: ${shown}\n`);
  return all;
}
