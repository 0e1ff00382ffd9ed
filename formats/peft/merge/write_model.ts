/** Writing of a merged model. */
import { carriedFiles } from "../../hf/carried_files.ts";
import { configText } from "../../hf/config_text.ts";
import { jsonObject } from "../../../core/base/json.ts";
import { streamSafetensors } from "../../../core/files/safetensors.ts";
import type { Json, Named, Store } from "../../../core/types.ts";
import type { MergedModel } from "./into_base.ts";
import { writeHead } from "./write_adapter.ts";
import { MODEL_CONFIG } from "../../hf/model_config.ts";

/** Writes a merged model's directory: model.safetensors, and the other files of `base`. Returns the files' names. */
export async function writeModel(model: MergedModel, base: Store, to: Store): Promise<readonly string[]> {
  await to.put("model.safetensors", streamSafetensors(model.forms, model.pieces));
  const written = ["model.safetensors"];
  for (const name of [MODEL_CONFIG, ...carriedFiles]) {
    const file = await base.get(name);
    if (!file) continue;
    await to.put(name, name === MODEL_CONFIG ? withFields(file.bytes, model.untiedConfig) : file.bytes);
    written.push(name);
  }
  return [...written, ...await writeHead(model, to)];
}

/** Adds fields to a config; existing numbers keep their notation. */
function withFields(bytes: Uint8Array, fields: Named<Json> = {}): Uint8Array {
  if (Object.keys(fields).length === 0) return bytes;
  return new TextEncoder().encode(configText({ ...jsonObject("merge", MODEL_CONFIG, bytes), ...fields }, bytes));
}
