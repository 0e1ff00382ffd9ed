/** The files of a sentence-transformers folder: its modules after the transformer, its prompts and lengths. */
import { jsonObject } from "../../core/base/json.ts";
import { writeSafetensors } from "../../core/files/safetensors.ts";
import { type SentenceDense, sentenceFiles } from "../../core/files/sentence_modules.ts";
import type { Json, Store, Tensor, TrainedModel } from "../../core/types.ts";
import { jsonFileBytes } from "../../core/base/bytes.ts";

/** Returns the trained layers after pooling. */
function denseOf({ task }: TrainedModel): readonly SentenceDense[] {
  return (task.modules?.steps ?? []).filter((step) => step !== "normalize");
}

/** Whether a parameter belongs to a layer after pooling, which has a folder of its own. */
export function isDense(trained: TrainedModel, name: string): boolean {
  return denseOf(trained).some(({ path }) => name.startsWith(`${path}.`));
}

/** Writes the files of a sentence embedding task, none for other tasks. Returns their names. */
export async function writeSentenceFiles(trained: TrainedModel, to: Store): Promise<readonly string[]> {
  const { base, task: { modules }, backbone } = trained;
  if (!modules) return [];
  const written: string[] = [];
  const put = async (name: string, content: Uint8Array | Json): Promise<void> => {
    const bytes = content instanceof Uint8Array ? content : jsonFileBytes(content);
    await to.put(name, bytes);
    written.push(name);
  };
  for (const [name, content] of Object.entries(sentenceFiles(modules, backbone.hiddenSize))) await put(name, content);
  for (const { path } of denseOf(trained)) {
    const config = await base.files.get(`${path}/config.json`);
    if (config) await put(`${path}/config.json`, config.bytes);
    const tensors: Record<string, Tensor> = {};
    for (const name of Object.keys(trained.all).filter((own) => own.startsWith(`${path}.`))) {
      tensors[name.slice(path.length + 1)] = await trained.read(name);
    }
    await put(`${path}/model.safetensors`, writeSafetensors(tensors));
  }
  const lengths = await base.files.get("sentence_bert_config.json");
  if (lengths) await put("sentence_bert_config.json", lengths.bytes);
  const name = "config_sentence_transformers.json";
  const file = await base.files.get(name);
  const known = file ? jsonObject("hf", name, file.bytes) : {};
  const prompts = (known.prompts ?? {}) as Readonly<Record<string, Json>>;
  const before = typeof known.default_prompt_name === "string" ? prompts[known.default_prompt_name] : "";
  // The spec's prompt is the one that the model was trained with.
  if (before !== modules.prompt) {
    const changed = { prompts: { ...prompts, trained: modules.prompt }, default_prompt_name: "trained" };
    await put(name, { ...known, ...(modules.prompt === "" ? { default_prompt_name: null } : changed) });
  } else if (file) await put(name, file.bytes);
  return written;
}
