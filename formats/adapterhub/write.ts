/** Writing of an adapter's folder in AdapterHub's format. */
import { writeSafetensors } from "../../core/files/safetensors.ts";
import type { AttachedAdapter, Json, Tensor, TrainedModel } from "../../core/types.ts";
import { adapterTensors, type PutFile } from "../adapter_tensors.ts";
import { hubFiles } from "./files.ts";

/** Writes an adapter's files, and those of its head if it has one. `first`: as in `adapterTensors`. */
export async function writeHub(
  trained: TrainedModel,
  attached: AttachedAdapter,
  first: boolean,
  put: PutFile,
): Promise<void> {
  const tensors = await adapterTensors(trained, attached, first);
  const pick = (head: boolean): Record<string, Tensor> =>
    Object.fromEntries(Object.entries(tensors).filter(([name]) => /\.(adapters|refts)\./.test(name) !== head));
  const head = pick(true);
  const config = { ...attached.record?.config, model_name: trained.base.label };
  // AdapterHub requires `scaling` to be a float, even if it is a whole number.
  const json = (value: Json): string =>
    JSON.stringify(value, null, 2).replace(/("scaling": -?\d+)(?=[,\n])/, "$1.0") + "\n";
  await put(hubFiles.weights, writeSafetensors(pick(false)));
  await put(hubFiles.config, json(config));
  if (Object.keys(head).length === 0) return;
  const { label2id = null, id2label } = trained.task.config ?? {};
  const labels = typeof id2label === "object" && id2label !== null ? Object.keys(id2label).length : 0;
  await put(hubFiles.headWeights, writeSafetensors(head));
  await put(hubFiles.headConfig, json({ ...config, config: null, name: null, label2id, num_labels: labels }));
}
