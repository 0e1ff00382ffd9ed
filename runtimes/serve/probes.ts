/** Inputs for comparing merged models without data, and the task to compare them for. */
import type { Json, Named, Store } from "../../core/types.ts";
import type { SavedAdapter } from "../../formats/run/saved.ts";
import { adapterFiles } from "../../formats/peft/files.ts";
import { classification, embeddings } from "./serving_task.ts";

/** The inputs on which merged and unmerged models are compared. */
export const probes: readonly Named<Json>[] = [
  "A quiet film that stays with you.",
  "The food was cold and the service worse.",
  "It does what it says, no more and no less.",
  "Why would anyone pay for this twice?",
].map((text) => ({ text }));

/** Returns the task that an adapter was trained for. */
export async function taskOf(
  model: Store,
  adapter: Store,
  adapters: readonly SavedAdapter[],
): Promise<Readonly<{ use: string; with?: Named<Json> }>> {
  const stored = await adapter.get(adapterFiles.config);
  const config = JSON.parse(new TextDecoder().decode(stored?.bytes ?? new Uint8Array()));
  if (config.task_type === "SEQ_CLS") return (await classification({ model, adapters })).task;
  return config.task_type === "CAUSAL_LM" ? { use: "causal-lm", with: {} } : (await embeddings()).task;
}
