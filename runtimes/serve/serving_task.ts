/** The task that a model's files imply: classification or sentence embeddings. */
import { classifierTask } from "../../formats/run/classifier_task.ts";
import type { ModelArtifact, ServingTask } from "./inference.ts";

/** Returns a classifier's task, with the classes of the head's file beside the adapter, else of the model's config. */
export async function classification({ model, adapters }: ModelArtifact): Promise<ServingTask> {
  return { task: await classifierTask(model, adapters) };
}

/** Returns the task of sentence embeddings, as the model's folder defines them; by default normalized means. */
export function embeddings(): Promise<ServingTask> {
  return Promise.resolve({ task: { use: "feature-extraction", with: {} } });
}
