/**
 * The modules of a sentence-transformers folder after its transformer, which turn hidden states into the embedding of a
 * sentence, and the prompts put before texts.
 */
import { badFile, unsupported } from "../base/errors.ts";
import { strictJson } from "../base/json.ts";
import { openSafetensors, toFloat32 } from "./safetensors.ts";
import type { Checkpoint, Json, Named, Store, Weights } from "../types.ts";
import type { Pooling, SentenceDense, SentenceModules } from "../types/sentence.ts";

export type { Pooling, SentenceDense, SentenceModules } from "../types/sentence.ts";

/** Pooling modes with their names in `pooling_mode` and as older flags. Outputs of several are joined in this order. */
const modes: readonly (readonly [Pooling, string, string])[] = [
  ["first", "cls", "pooling_mode_cls_token"],
  ["max", "max", "pooling_mode_max_tokens"],
  ["mean", "mean", "pooling_mode_mean_tokens"],
  ["mean-sqrt-len", "mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens"],
  ["weighted-mean", "weightedmean", "pooling_mode_weightedmean_tokens"],
  ["last", "lasttoken", "pooling_mode_lasttoken"],
];

const activations: Named<string> = {
  Identity: "linear",
  Tanh: "tanh",
  ReLU: "relu",
  GELU: "gelu",
  Sigmoid: "sigmoid",
  SiLU: "silu",
};

/** Reads the modules of a folder; undefined if it has no modules.json. Throws AttuneError if one is not supported. */
export async function readSentenceModules(files: Store): Promise<SentenceModules | undefined> {
  const modules = await parsed(files, "modules.json");
  if (modules === undefined) return undefined;
  if (!Array.isArray(modules)) throw badFile("sentence", "modules.json", "is not a list of modules");
  let pooling: readonly Pooling[] | undefined;
  let withPrompt = true;
  const steps: (SentenceDense | "normalize")[] = [];
  for (const { type, path } of modules as readonly Named<Json>[]) {
    const kind = String(type).split(".").at(-1) ?? "";
    const folder = folderOf(path);
    if (kind === "Transformer") continue;
    if (kind === "Normalize") steps.push("normalize");
    else if (kind === "Pooling" && pooling === undefined) {
      const config = await object(files, `${folder}config.json`);
      pooling = poolingOf(config, `${folder}config.json`);
      withPrompt = config.include_prompt !== false;
    } else if (kind === "Dense" && pooling) steps.push(denseOf(await object(files, `${folder}config.json`), folder));
    else throw unsupported("sentence", "modules.json", kind, "such a module is not implemented");
  }
  const { prompts, default_prompt_name: name } = await object(files, "config_sentence_transformers.json");
  const known = (prompts ?? {}) as Named<Json>;
  if (typeof name === "string" && typeof known[name] !== "string") {
    throw badFile(
      "sentence",
      "config_sentence_transformers.json",
      `has no prompt "${name}", although it is the default`,
    );
  }
  const prompt = typeof name === "string" ? String(known[name]) : "";
  if (prompt !== "" && !withPrompt) {
    throw unsupported("sentence", "1_Pooling: include_prompt", false, "a prompt's tokens are pooled like the others");
  }
  const { max_seq_length: longest, do_lower_case: lowercase } = await object(files, "sentence_bert_config.json");
  return {
    pooling: pooling ?? ["mean"],
    steps,
    prompt,
    lowercase: lowercase === true,
    ...(typeof longest === "number" ? { maxLength: longest } : {}),
  };
}

function poolingOf(config: Named<Json>, file: string): readonly Pooling[] {
  const modesNamed = config.pooling_mode;
  if (modesNamed === undefined) {
    const poolings = modes.flatMap(([pooling, , flag]) => (config[flag] === true ? [pooling] : []));
    return poolings.length === 0 ? ["mean"] : poolings;
  }
  return [modesNamed].flat().map((mode) => {
    const pooling = modes.find(([, name]) => name === mode)?.[0];
    if (pooling === undefined) {
      throw unsupported("sentence", `${file}: pooling_mode`, mode, "such pooling is not implemented");
    }
    return pooling;
  });
}

function denseOf(config: Named<Json>, folder: string): SentenceDense {
  const { out_features: outFeatures, bias = true, activation_function: activationClass = "Tanh" } = config;
  const file = `${folder}config.json`;
  const activation = activations[String(activationClass).split(".").at(-1) ?? ""];
  if (activation === undefined) {
    throw unsupported("sentence", `${file}: activation_function`, activationClass, "it is not implemented");
  }
  for (const key of ["module_input_name", "module_output_name"]) {
    const value = config[key] ?? "sentence_embedding";
    if (value !== "sentence_embedding") {
      throw unsupported("sentence", `${file}: ${key}`, value, "it is not implemented");
    }
  }
  if (config.use_residual === true) {
    throw unsupported("sentence", `${file}: use_residual`, true, "it is not implemented");
  }
  if (typeof outFeatures !== "number") throw badFile("sentence", file, "has no out_features");
  return { path: folder.slice(0, -1), outFeatures, bias: bias === true, activation };
}

/** Adds the weights of the dense layers after pooling, which have their own folders, to a checkpoint. */
export async function withDense(checkpoint: Checkpoint, modules: SentenceModules | undefined): Promise<Checkpoint> {
  const weights = new Map<string, Weights>();
  for (const step of modules?.steps ?? []) {
    if (step === "normalize") continue;
    const key = `${step.path}/model.safetensors`;
    const file = await openSafetensors(checkpoint.files, key);
    for (const name of file.names) weights.set(`${step.path}.${name}`, { ...prefixed(file, `${step.path}.`) });
  }
  if (weights.size === 0) return checkpoint;
  const stored = checkpoint.weights;
  const { quantized, encoded, formatOf } = stored;
  return {
    ...checkpoint,
    weights: {
      names: [...stored.names, ...weights.keys()],
      read: async (name) => await (weights.get(name) ?? stored).read(name),
      locate: (name) => (weights.get(name) ?? stored).locate(name),
      ...(quantized ? { quantized: async (name) => weights.has(name) ? undefined : await quantized(name) } : {}),
      ...(encoded ? { encoded: async (name) => weights.has(name) ? undefined : await encoded(name) } : {}),
      ...(formatOf ? { formatOf: (name) => weights.has(name) ? undefined : formatOf(name) } : {}),
    },
  };
}

function prefixed(file: Awaited<ReturnType<typeof openSafetensors>>, prefix: string): Weights {
  return {
    names: file.names.map((name) => prefix + name),
    read: async (name) => toFloat32(await file.read(name.slice(prefix.length))),
    // These weights are small, so they are read into memory rather than mapped.
    locate: () => undefined,
  };
}

/** Returns the JSON files that describe the modules after a folder's transformer. */
export function sentenceFiles(modules: SentenceModules, hiddenSize: number): Named<Json> {
  const type = (kind: string): string => `sentence_transformers.models.${kind}`;
  const listed: Json[] = [{ idx: 0, name: "0", path: "", type: type("Transformer") }];
  const place = (kind: string, path: string): void => {
    listed.push({ idx: listed.length, name: String(listed.length), path, type: type(kind) });
  };
  place("Pooling", "1_Pooling");
  const files: Record<string, Json> = {
    "1_Pooling/config.json": {
      word_embedding_dimension: hiddenSize,
      ...Object.fromEntries(modes.map(([pooling, , flag]) => [flag, modules.pooling.includes(pooling)])),
      include_prompt: true,
    },
  };
  for (const step of modules.steps) {
    if (step === "normalize") place("Normalize", `${listed.length}_Normalize`);
    else place("Dense", step.path);
  }
  return { "modules.json": listed, ...files };
}

/** Returns a module's folder, which must be a plain name. */
function folderOf(path: Json | undefined): string {
  if (path === "" || path === undefined) return "";
  if (typeof path === "string" && /^[\w-]{1,64}$/.test(path)) return `${path}/`;
  throw badFile("sentence", "modules.json", `has the path ${JSON.stringify(path)}, which is not the name of a folder`);
}

async function parsed(files: Store, key: string): Promise<Json | undefined> {
  const file = await files.get(key);
  if (!file) return undefined;
  try {
    return strictJson(file.bytes);
  } catch (cause) {
    throw badFile("sentence", key, `is not JSON (${cause instanceof Error ? cause.message : cause})`);
  }
}

async function object(files: Store, key: string): Promise<Named<Json>> {
  const settings = await parsed(files, key);
  return typeof settings === "object" && settings !== null && !Array.isArray(settings) ? settings as Named<Json> : {};
}
