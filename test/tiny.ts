/** A tiny model, its tokenizer and rows, made here: what tests train without any file beside the repository. */
import { createGraphBuilder } from "../core/engine/builder/builder.ts";
import { Graph } from "../core/graph/graph.ts";
import { createRandom, fillNormal } from "../core/math/random.ts";
import { writeSafetensors } from "../core/files/safetensors.ts";
import { sizeOf, type Tensor } from "../core/base/tensor.ts";
import type { Host, Json, Named, Row, Store } from "../core/types.ts";
import { bert } from "../plugins/architectures/bert.ts";
import { jsonBytes } from "../core/base/bytes.ts";

const words = [
  "the",
  "a",
  "film",
  "food",
  "phone",
  "was",
  "is",
  "very",
  "good",
  "bad",
  "great",
  "awful",
  "nice",
  "poor",
  "and",
  "but",
  "not",
  "fun",
  "dull",
  "!",
  ".",
];
const special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
const vocabulary = [...special, ...words, "##s", "##ly"];

/** A BERT of two layers, 16 wide. */
export const tinyConfig: Named<Json> = {
  model_type: "bert",
  vocab_size: vocabulary.length,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 32,
  max_position_embeddings: 32,
  type_vocab_size: 2,
  hidden_dropout_prob: 0,
  attention_probs_dropout_prob: 0,
  layer_norm_eps: 1e-12,
  initializer_range: 0.1,
  pad_token_id: 0,
};

/** A WordPiece tokenizer over two dozen words. */
export const tinyTokenizer: Named<Json> = {
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: special.map((content, id) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  })),
  normalizer: {
    type: "BertNormalizer",
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: true,
  },
  pre_tokenizer: { type: "BertPreTokenizer" },
  post_processor: {
    type: "TemplateProcessing",
    single: [{ SpecialToken: { id: "[CLS]", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }, {
      SpecialToken: { id: "[SEP]", type_id: 0 },
    }],
    pair: [
      { SpecialToken: { id: "[CLS]", type_id: 0 } },
      { Sequence: { id: "A", type_id: 0 } },
      { SpecialToken: { id: "[SEP]", type_id: 0 } },
      { Sequence: { id: "B", type_id: 1 } },
      { SpecialToken: { id: "[SEP]", type_id: 1 } },
    ],
    special_tokens: {
      "[CLS]": { id: "[CLS]", ids: [2], tokens: ["[CLS]"] },
      "[SEP]": { id: "[SEP]", ids: [3], tokens: ["[SEP]"] },
    },
  },
  decoder: { type: "WordPiece", prefix: "##", cleanup: true },
  model: {
    type: "WordPiece",
    unk_token: "[UNK]",
    continuing_subword_prefix: "##",
    max_input_chars_per_word: 100,
    vocab: Object.fromEntries(vocabulary.map((word, id) => [word, id])),
  },
};

const tokenizerConfig: Json = {
  tokenizer_class: "BertTokenizer",
  model_max_length: 32,
  padding_side: "right",
  pad_token: "[PAD]",
  unk_token: "[UNK]",
  cls_token: "[CLS]",
  sep_token: "[SEP]",
  mask_token: "[MASK]",
};

/** Sentences whose label follows from one word. */
export const tinyRows: readonly Row[] = Array.from({ length: 24 }, (_, i) => {
  const good = i % 2 === 0;
  const thing = ["the film", "a food", "the phone", "the very nice film"][i % 4];
  const word = (good ? ["good", "great", "fun"] : ["bad", "awful", "dull"])[i % 3];
  return {
    text: `${thing} was ${i % 5 === 0 ? "very " : ""}${word}${i % 7 === 0 ? " and nice !" : " ."}`,
    label: good ? "good" : "bad",
  };
});

/** The tiny model's weights, or those of one that is as wide as a config says, the same every time. */
export function tinyWeights(config: Named<Json> = tinyConfig): Named<Tensor<Float32Array>> {
  const architecture = bert().read(config);
  const width = Number(config.hidden_size);
  const { build, recorded } = createGraphBuilder({
    graph: new Graph(),
    mode: "evaluate",
    attached: [],
    initializerRange: 0.1,
    labelSmoothing: 0,
    checkpointing: false,
    targets: {},
    isTrainable: () => false,
  });
  architecture.forward(build);
  build.parameter("bert.pooler.dense.weight", [width, width]);
  build.parameter("bert.pooler.dense.bias", [width], "zeros");
  build.parameter("classifier.weight", [2, width]);
  build.parameter("classifier.bias", [2], "zeros");
  const random = createRandom(11);
  return Object.fromEntries([...recorded.parameters.values()].map((p) => {
    const data = new Float32Array(sizeOf(p.shape));
    if (p.init === "ones") data.fill(1);
    else fillNormal(random.fork(p.name), data, p.name.endsWith("word_embeddings.weight") ? 0.5 : 0.2);
    return [p.name, { dtype: "float32" as const, dims: p.shape, data }];
  }));
}

/** The tiny model's files. */
export function tinyFiles(): Named<Uint8Array> {
  return {
    "config.json": jsonBytes(tinyConfig),
    "tokenizer.json": jsonBytes(tinyTokenizer),
    "tokenizer_config.json": jsonBytes(tokenizerConfig),
    "model.safetensors": writeSafetensors(tinyWeights()),
  };
}

/** Files in memory that can only be read. */
export function heldStore(files: Named<Uint8Array>): Store {
  const contents = new Map<string, Uint8Array>(Object.entries(files));
  return {
    get: async (key, range) => {
      const bytes = contents.get(key);
      if (!bytes) return undefined;
      return {
        key,
        size: bytes.length,
        revision: "1",
        bytes: range ? bytes.slice(range.offset, range.offset + range.length) : bytes,
      };
    },
    put: async () => "conflict",
    delete: async () => "conflict",
    list: async function* (prefix) {
      for (const [key, bytes] of contents) if (key.startsWith(prefix)) yield { key, size: bytes.length, revision: "1" };
    },
  };
}

/** A host whose directory "tiny:model" holds the tiny model, in memory. */
export function tinyHost(host: Host, files: Named<Uint8Array> = {}): Host {
  const store = heldStore({ ...tinyFiles(), ...files });
  return {
    ...host,
    directory: (path) => (path.endsWith("tiny:model") ? store : host.directory?.(path) ?? store),
    resolve: (path, base) => (path.endsWith("tiny:model") ? "tiny:model" : host.resolve?.(path, base) ?? path),
  };
}

/** A run spec over the tiny model. `dropout` is that of the backbone. */
export function tinySpec(
  change: Readonly<{
    training?: Named<Json>;
    adapter?: Json;
    optimizer?: Json;
    rows?: readonly Row[];
    task?: Named<Json>;
    config?: Named<Json>;
    dropout?: number;
  }> = {},
): Named<Json> {
  const rows = (change.rows ?? tinyRows) as unknown as Json;
  const dropout = change.dropout ?? 0;
  const config = { hidden_dropout_prob: dropout, attention_probs_dropout_prob: dropout, ...change.config };
  return {
    version: 1,
    name: "tiny",
    model: { use: "pretrained", with: { path: "tiny:model", config } },
    task: { use: "sequence-classification", with: change.task ?? { labels: ["bad", "good"] } },
    data: { train: { use: "memory", with: { rows } }, eval: { use: "memory", with: { rows } } },
    adapter: change.adapter ?? [],
    ...(change.optimizer === undefined ? {} : { optimizer: change.optimizer }),
    training: { learningRate: 0.01, maxSteps: 6, perDeviceTrainBatchSize: 8, seed: 3, ...change.training },
  };
}
