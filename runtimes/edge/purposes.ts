/**
 * What a model is opened for, as its files say: classes, or how sentences become vectors.
 * @module
 */
import { classNames } from "../../core/class_names.ts";
import { badValue } from "../../core/errors.ts";
import { openSafetensors } from "../../core/safetensors.ts";
import type { Json, Named, Store } from "../../core/types.ts";
import { failed } from "./answers.ts";
import type { Found, Purpose } from "./inference.ts";
import { jsonIn, parsedIn } from "./saved.ts";

const problems: Readonly<Record<string, string>> = {
  single_label_classification: "single-label",
  multi_label_classification: "multi-label",
  regression: "regression",
};

/** A classifier: its classes as the adapter's head_config.json has them, else the model's config. */
export async function classification({ model, adapters }: Found): Promise<Purpose> {
  let config = await jsonIn(model, "config.json") ?? {};
  for (const { files } of adapters) {
    const head = await jsonIn(files, "head_config.json");
    const size = head?.id2label ? undefined : await classesIn(files);
    if (head?.id2label) config = head;
    else if (size !== undefined && size !== classNames(config)?.length) config = { num_labels: size };
  }
  const labels = classNames(config);
  const count = labels?.length ?? (typeof config.num_labels === "number" ? config.num_labels : 2);
  // As transformers takes it: one class is a number.
  const problemType = problems[String(config.problem_type)] ?? (count === 1 ? "regression" : "single-label");
  const named: Named<Json> = problemType === "regression" || !labels ? { numLabels: count } : { labels };
  return { task: { use: "sequence-classification", with: { ...named, problemType } } };
}

/** How many classes an adapter's own classifier has, if it has one. */
async function classesIn(files: Store): Promise<number | undefined> {
  const file = await openSafetensors(files, "adapter_model.safetensors");
  const head = file.names.find((name) => /(^|[._])(classifier|score|out_proj|logits_proj)\.weight$/.test(name));
  return head === undefined ? undefined : file.locate(head).dims[0];
}

/** What sentence-transformers reads of a model that was saved by it. */
const poolings: Readonly<Record<string, string>> = {
  pooling_mode_mean_tokens: "mean",
  pooling_mode_cls_token: "first",
  pooling_mode_lasttoken: "last",
};

/** Sentence embeddings as modules.json says; without it, means of length 1. */
export async function embeddings({ model }: Found): Promise<Purpose> {
  const modules = await parsedIn(model, "modules.json");
  if (modules === undefined) return purposeOf("mean", true);
  if (!Array.isArray(modules)) throw badValue("embeddings", "modules.json", modules, "a list of modules");
  let [pooling, normalize] = ["mean", false];
  for (const { type, path } of modules as readonly Named<Json>[]) {
    const kind = String(type).split(".").at(-1);
    if (kind === "Normalize") normalize = true;
    else if (kind === "Pooling") pooling = poolingOf(await jsonIn(model, `${folderOf(path)}config.json`) ?? {});
    else if (kind !== "Transformer") {
      throw failed(400, "unsupported_model", `model: its module ${kind} is not supported for embeddings`, "model");
    }
  }
  const { max_seq_length: longest } = await jsonIn(model, "sentence_bert_config.json") ?? {};
  return purposeOf(pooling, normalize, typeof longest === "number" ? longest : undefined);
}

function purposeOf(pooling: string, normalize: boolean, maxLength?: number): Purpose {
  return { task: { use: "feature-extraction", with: { pooling, normalize } }, maxLength };
}

/** A module's folder; of a name only. */
function folderOf(path: Json | undefined): string {
  if (path === "" || path === undefined) return "";
  if (typeof path === "string" && /^[\w-]{1,64}$/.test(path)) return `${path}/`;
  throw badValue("embeddings", "modules.json: path", path, "the name of a folder");
}

function poolingOf(config: Named<Json>): string {
  const asked = Object.keys(config).filter((name) => name.startsWith("pooling_mode_") && config[name] === true);
  const [mode] = asked;
  const pooling = asked.length === 1 && mode !== undefined ? poolings[mode] : undefined;
  if (pooling !== undefined) return pooling;
  throw failed(
    400,
    "unsupported_model",
    `model: its pooling (${asked.join(", ") || "none"}) is not supported`,
    "model",
  );
}
