/**
 * Folders that no run has written: specs made from a model's or an adapter's folder, and errors that describe others.
 */
import { existsSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { badFile, show } from "../../core/base/errors.ts";
import { classNames } from "../../core/data/class_names.ts";
import { ggufIn } from "../../core/files/gguf_folder.ts";
import type { Json, Named } from "../../core/types.ts";
import { MODEL_CONFIG } from "../../formats/hf/model_config.ts";
import { adapterFiles } from "../../formats/peft/files.ts";
import { artifactFiles, runFolders } from "../../formats/run/files.ts";
import { detectArtifact, jsonIn } from "../../formats/run/saved.ts";
import { classifierTask } from "../../formats/run/classifier_task.ts";
import { directoryStore } from "./directory_store.ts";

/** The task for each suffix of transformers' class names, and for each of PEFT's task types. */
const tasks: readonly (readonly [RegExp, string])[] = [
  [/ForSequenceClassification$|^SEQ_CLS$/, "sequence-classification"],
  [/ForTokenClassification$|^TOKEN_CLS$/, "token-classification"],
  [/ForQuestionAnswering$|^QUESTION_ANS$/, "question-answering"],
  [/ForMultipleChoice$/, "multiple-choice"],
  [/ForMaskedLM$/, "masked-lm"],
  [/ForConditionalGeneration$|^SEQ_2_SEQ_LM$/, "seq2seq-lm"],
  [/ForCausalLM$|LMHeadModel$|^CAUSAL_LM$/, "causal-lm"],
];

/**
 * Returns the spec with which a model's or an adapter's folder is used for prediction and evaluation.
 *
 * @throws AttuneError if it is neither or its task is unknown; it names the content, and the command that takes it.
 */
export async function folderSpec(dir: string): Promise<Named<Json>> {
  const whole = resolve(dir);
  const files = directoryStore(whole);
  // The folder of the run knows more than this part of it.
  const saved = isPartOfRun(dir) ? undefined : await detectArtifact(files);
  if (!saved) throw await notARun(dir);
  const [first] = saved.adapters ?? [];
  const at = (path: string): string => (existsSync(resolve(path)) ? resolve(path) : path);
  if (saved.adapters && saved.base === undefined) {
    throw badFile(
      "spec",
      `${dir}/${adapterFiles.config}`,
      "has no base_model_name_or_path: write the base's name there",
    );
  }
  const path = saved.adapters ? at(saved.base ?? "") : whole;
  const model = saved.model ?? directoryStore(path);
  const config = await jsonIn(first?.files ?? model, first ? adapterFiles.config : MODEL_CONFIG) ?? {};
  const { architectures, task_type: taskType } = config;
  const name = first ? taskType : Array.isArray(architectures) ? architectures[0] : undefined;
  const use = tasks.find(([pattern]) => pattern.test(String(name)))?.[1];
  if (use === undefined) {
    const [file, field] = first ? [adapterFiles.config, "task_type"] : [MODEL_CONFIG, "architectures"];
    const advice = 'write a spec with "model", "task" and "data", and name its file instead of the folder';
    throw badFile("spec", `${dir}/${file}`, `has ${field} ${show(name ?? null)}, which is no task's: ${advice}`);
  }
  const labels = use === "token-classification" ? classNames(await jsonIn(model, MODEL_CONFIG) ?? {}) : undefined;
  return {
    version: 1,
    name: "folder",
    model: { use: "pretrained", with: { path } },
    task: use === "sequence-classification"
      ? await classifierTask(model, saved.adapters ?? [])
      : { use, with: labels ? { labels: [...labels] } : {} },
    data: {},
    ...(saved.adapters ? { adapter: saved.adapters.map(({ use: own }) => ({ use: own, with: { from: whole } })) } : {}),
  };
}

/** Returns the error for a folder that is no run's; the message says what it contains and what to do. */
export async function notARun(dir: string): Promise<Error> {
  const says = (what: string): Error => badFile("spec", dir, what);
  const has = (name: string): boolean => existsSync(join(dir, name));
  const whole = resolve(dir);
  const run = [whole, dirname(whole), dirname(dirname(whole))].find((own) => existsSync(join(own, "spec.json")));
  if (has("checkpoint.json") || has("latest")) {
    const resume = run === undefined ? "" : `: "attune run ${run} --resume" continues that run from the newest one`;
    return says(`holds checkpoints, and no finished run${resume}`);
  }
  if (run !== undefined && isPartOfRun(dir)) return says(`is a part of a run: name the run's folder, ${run}`);
  const isModel = has(MODEL_CONFIG) || await ggufIn(directoryStore(whole)) !== undefined;
  if (isModel || artifactFiles.some(has)) {
    const part = isModel
      ? `"model": ${JSON.stringify(dir)}`
      : `"adapter": { "use": ..., "with": { "from": ${JSON.stringify(dir)} } }`;
    return says(
      `holds ${
        isModel ? "a model" : "an adapter"
      }, and no run: this command takes a spec, a file of JSON with ${part}, ` +
        `"task" and "data" ("attune evaluate ${dir} --data FILE" and "attune predict ${dir}" take the folder)`,
    );
  }
  return says(
    `is not the folder of a run: spec.json is missing${readdirSync(dir).length === 0 ? " (the folder is empty)" : ""}`,
  );
}

/** Whether a folder is the model's or adapter's folder of a run. */
function isPartOfRun(dir: string): boolean {
  const above = dirname(resolve(dir));
  const isNamed = Object.values(runFolders).some((name) => join(above, name) === resolve(dir));
  return isNamed && existsSync(join(above, "spec.json"));
}
