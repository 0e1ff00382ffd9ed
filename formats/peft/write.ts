/** Writing of an adapter's folder in PEFT's format. */
import { writeSafetensors } from "../../core/files/safetensors.ts";
import type { AttachedAdapter, Json, TrainedModel } from "../../core/types.ts";
import { VERSION } from "../../core/base/version.ts";
import { adapterTensors, type PutFile } from "../adapter_tensors.ts";
import { adapterFiles } from "./files.ts";

/** Writes an adapter's files; beside a run's first adapter also the names of classes, which PEFT does not save. */
export async function writePeft(
  trained: TrainedModel,
  attached: AttachedAdapter,
  first: boolean,
  put: PutFile,
): Promise<void> {
  const config: Json = {
    ...attached.record?.config,
    base_model_name_or_path: trained.base.label,
    peft_version: `attune ${VERSION}`,
  };
  await put(adapterFiles.weights, writeSafetensors(await adapterTensors(trained, attached, first)));
  await put(adapterFiles.config, JSON.stringify(config, null, 2) + "\n");
  const head = trained.task.config ?? {};
  if (first && Object.keys(head).length > 0) await put(adapterFiles.head, JSON.stringify(head, null, 2) + "\n");
}
