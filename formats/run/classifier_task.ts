/** The task of a classifier that is saved in a model's or an adapter's files. */
import { classNames } from "../../core/data/class_names.ts";
import { openSafetensors } from "../../core/files/safetensors.ts";
import type { Json, Named, Store } from "../../core/types.ts";
import { classifierOutputs } from "../hf/head_modules.ts";
import { MODEL_CONFIG } from "../hf/model_config.ts";
import { adapterFiles } from "../peft/files.ts";
import { jsonIn, type SavedAdapter } from "./saved.ts";

const problems: Readonly<Record<string, string>> = {
  single_label_classification: "single-label",
  multi_label_classification: "multi-label",
  regression: "regression",
};

/** Returns a classifier's task, with the classes of the head's file beside an adapter, else of the model's config. */
export async function classifierTask(
  model: Store,
  adapters: readonly SavedAdapter[],
): Promise<Readonly<{ use: string; with: Named<Json> }>> {
  let config = await jsonIn(model, MODEL_CONFIG) ?? {};
  for (const { files } of adapters) {
    const head = await jsonIn(files, adapterFiles.head);
    const size = head?.id2label ? undefined : await classesIn(files);
    if (head?.id2label) config = head;
    else if (size !== undefined && size !== classNames(config)?.length) config = { num_labels: size };
  }
  const labels = classNames(config);
  const count = labels?.length ?? (typeof config.num_labels === "number" ? config.num_labels : 2);
  // As in transformers, a single class means regression.
  const problemType = problems[String(config.problem_type)] ?? (count === 1 ? "regression" : "single-label");
  const named: Named<Json> = problemType === "regression" || !labels ? { numLabels: count } : { labels };
  return { use: "sequence-classification", with: { ...named, problemType } };
}

/** Names of a classifier's weights. */
const isClassifier = new RegExp(`(^|[._])(${classifierOutputs.join("|")})\\.weight$`);

/** Returns the number of classes of an adapter's classifier, if it has one. */
async function classesIn(files: Store): Promise<number | undefined> {
  const file = await openSafetensors(files, adapterFiles.weights);
  const head = file.names.find((name) => isClassifier.test(name));
  return head === undefined ? undefined : file.locate(head).dims[0];
}
