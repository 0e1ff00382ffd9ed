/**
 * Folders of sentence-transformers over the tiny model, one for each kind of module; test/fixtures/sentence_modules.py has
 * what Python makes of them.
 */
import { createRandom, fillNormal } from "../core/math/random.ts";
import { writeSafetensors } from "../core/files/safetensors.ts";
import type { Json, Named } from "../core/types.ts";
import { tinyConfig, tinyFiles, tinyWeights } from "./tiny.ts";
import { jsonBytes } from "../core/base/bytes.ts";

const tensor = (name: string, dims: readonly number[]) => {
  const data = new Float32Array(dims.reduce((a, b) => a * b, 1));
  fillNormal(createRandom(5).fork(name), data, 0.3);
  return { dtype: "float32" as const, dims, data };
};

/** A folder: flags of pooling, what stands behind it, other files. */
function folder(pooling: Json, behind: readonly Json[] = [], more: Named<Uint8Array> = {}): Named<Uint8Array> {
  const { "classifier.weight": _w, "classifier.bias": _b, ...weights } = tinyWeights();
  const type = (kind: string): string => `sentence_transformers.models.${kind}`;
  const modules = [
    { idx: 0, name: "0", path: "", type: type("Transformer") },
    { idx: 1, name: "1", path: "1_Pooling", type: type("Pooling") },
    ...behind.map((kind, i) => ({
      idx: i + 2,
      name: String(i + 2),
      path: `${i + 2}_${kind}`,
      type: type(String(kind)),
    })),
  ];
  return {
    ...tinyFiles(),
    "config.json": jsonBytes({ ...tinyConfig, architectures: ["BertModel"] }),
    "model.safetensors": writeSafetensors(weights),
    "modules.json": jsonBytes(modules),
    "1_Pooling/config.json": jsonBytes({ word_embedding_dimension: 16, ...pooling as object }),
    "sentence_bert_config.json": jsonBytes({ max_seq_length: 32, do_lower_case: false }),
    ...more,
  };
}

/** A linear layer's folder. */
function dense(path: string, from: number, to: number, activation: string, bias = true): Named<Uint8Array> {
  const config = { in_features: from, out_features: to, bias, activation_function: activation };
  const weights = {
    "linear.weight": tensor(`${path}.weight`, [to, from]),
    ...(bias ? { "linear.bias": tensor(`${path}.bias`, [to]) } : {}),
  };
  return { [`${path}/config.json`]: jsonBytes(config), [`${path}/model.safetensors`]: writeSafetensors(weights) };
}

/** All folders by name. */
export function folders(): Named<Named<Uint8Array>> {
  const mean = { pooling_mode_mean_tokens: true };
  const prompts = {
    prompts: { query: "good film : ", document: "" },
    default_prompt_name: "query",
    similarity_fn_name: "cosine",
  };
  return {
    cls: folder({ pooling_mode_cls_token: true, pooling_mode_mean_tokens: false }),
    mean: folder(mean, ["Normalize"]),
    max: folder({ pooling_mode_max_tokens: true, pooling_mode_mean_tokens: false }),
    root: folder({ pooling_mode_mean_sqrt_len_tokens: true, pooling_mode_mean_tokens: false }),
    weighted: folder({ pooling_mode_weightedmean_tokens: true, pooling_mode_mean_tokens: false }, ["Normalize"]),
    last: folder({ pooling_mode_lasttoken: true, pooling_mode_mean_tokens: false }),
    several: folder({ pooling_mode_cls_token: true, pooling_mode_max_tokens: true, ...mean }),
    named: folder({ pooling_mode: ["lasttoken", "mean"] }),
    dense: folder(mean, ["Dense"], dense("2_Dense", 16, 6, "torch.nn.modules.activation.Tanh")),
    layers: folder(mean, ["Dense", "Dense", "Normalize"], {
      ...dense("2_Dense", 16, 12, "torch.nn.modules.linear.Identity", false),
      ...dense("3_Dense", 12, 5, "torch.nn.modules.activation.ReLU"),
    }),
    prompt: folder(mean, [], { "config_sentence_transformers.json": jsonBytes(prompts) }),
    short: folder(mean, [], { "sentence_bert_config.json": jsonBytes({ max_seq_length: 4, do_lower_case: false }) }),
  };
}
