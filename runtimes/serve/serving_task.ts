/** The task that a model's files call for: classes, or how sentences become vectors. */
import { classifierTask } from "../../formats/run/classifier_task.ts";
import type { ModelArtifact, ServingTask } from "./inference.ts";

/** A classifier: its classes as the file beside the adapter has them, else the model's config. */
export async function classification({ model, adapters }: ModelArtifact): Promise<ServingTask> {
  return { task: await classifierTask(model, adapters) };
}

/** Sentence embeddings, as the model's own folder says; without modules.json, means of length 1. */
export function embeddings(): Promise<ServingTask> {
  return Promise.resolve({ task: { use: "feature-extraction", with: {} } });
}
