/** A tiny model, an encoder or a decoder of two layers, with weights from a formula. */
import { createGraphBuilder } from "../../core/engine/builder/builder.ts";
import {
  add,
  type Backbone,
  type BackboneOutput,
  badValue,
  type Checkpoint,
  createRandom,
  define,
  type Factory,
  fillNormal,
  gelu,
  Graph,
  type GraphBuilder,
  type Host,
  type Json,
  jsonBytes,
  jsonObject,
  layerNorm,
  missing,
  mulDims,
  type Named,
  openWeights,
  reshape,
  sha256,
  sizeOf,
  type Store,
  type Tensor,
  type Value,
  writeSafetensors,
} from "../../kit.ts";
import { readOnlyStore } from "./host.ts";
import { anyOptions, tinyVocabulary } from "./words.ts";

const WIDTH = 16;
const HEADS = 2;

/** Returns the tiny model's config. */
export function tinyConfig(side: "encoder" | "decoder"): Named<Json> {
  return { model_type: `tiny-${side}`, vocab_size: tinyVocabulary.length, hidden_size: WIDTH, num_hidden_layers: 2 };
}

/** The tiny architecture; its config selects encoder or decoder. */
export const tinyFamily: Factory<"architecture", Named<unknown>> = define({
  kind: "architecture",
  name: "tiny",
  schema: anyOptions,
  create: () => ({ modelTypes: ["tiny-encoder", "tiny-decoder"], read }),
});

function read(config: Named<Json>): Backbone {
  if (config.model_type !== "tiny-encoder" && config.model_type !== "tiny-decoder") {
    throw badValue("tiny", "config.model_type", config.model_type, "tiny-encoder or tiny-decoder");
  }
  const causal = config.model_type === "tiny-decoder";
  const layers = ["tiny.layers.0", "tiny.layers.1"];
  const vocabSize = Number(config.vocab_size);
  const pool = causal ? "last" as const : "first" as const;
  const language = { steps: [], out: "lm_head" };
  return {
    family: {
      modelType: String(config.model_type),
      classPrefix: "Tiny",
      targets: { attention: ["query", "value"], norms: ["norm"] },
      ...(causal ? {} : { sentencePairs: "next" as const }),
    },
    hiddenSize: WIDTH,
    numHeads: HEADS,
    numKeyValueHeads: HEADS,
    headDim: WIDTH / HEADS,
    vocabSize,
    maxPositions: 32,
    baseModelPrefix: "tiny",
    wordEmbeddings: "tiny.words",
    layers,
    heads: {
      sequence: { pool, steps: [{ dropout: 0 }], out: "classifier" },
      token: { steps: [], out: "classifier" },
      span: { steps: [], out: "qa_outputs" },
      choice: { pool, steps: [], out: "classifier" },
      ...(causal ? { lm: language } : { mlm: language, nextSentence: { pool, steps: [], out: "relation" } }),
    },
    initializerRange: 0.1,
    padTokenId: 0,
    forward: (b) => forward(b, vocabSize, layers, causal),
  };
}

function forward(b: GraphBuilder, vocabSize: number, layers: readonly string[], causal: boolean): BackboneOutput {
  const { ids, positions } = b.stream();
  const table = (name: string, at: Value, numEmbeddings: number): Value =>
    b.embedding(`tiny.${name}`, at, { numEmbeddings, embeddingDim: WIDTH });
  let hidden = add(table("words", ids, vocabSize), table("positions", positions, 32));
  const all = [hidden];
  const normed = (path: string, x: Value): Value =>
    layerNorm(x, b.parameter(`${path}.weight`, [WIDTH], "ones"), b.parameter(`${path}.bias`, [WIDTH], "zeros"), 1e-5);
  const heads = (x: Value): Value => reshape(x, ["batch", "seq", HEADS, WIDTH / HEADS]);
  for (const path of layers) {
    hidden = b.layer(path, hidden, (x) => {
      const attended = b.sublayer(`${path}.attention`, x, (x) => {
        const n = normed(`${path}.attention_norm`, x);
        const part = (name: string): Value => heads(b.linear(`${path}.${name}`, n, { outFeatures: WIDTH }));
        const seen = b.attention(path, part("query"), part("key"), part("value"), { causal });
        return b.linear(`${path}.out`, reshape(seen, [mulDims("batch", "seq"), WIDTH]), { outFeatures: WIDTH });
      });
      const y = add(x, attended);
      return add(
        y,
        b.sublayer(`${path}.feed_forward`, y, (x) => {
          const up = b.linear(`${path}.up`, normed(`${path}.feed_forward_norm`, x), { outFeatures: 2 * WIDTH });
          return b.linear(`${path}.down`, gelu(up), { outFeatures: WIDTH });
        }),
      );
    });
    all.push(hidden);
  }
  return { hidden: normed("tiny.norm", hidden), hiddenStates: all };
}

/** Returns the tiny model's weights, the same every time. */
export function tinyWeights(side: "encoder" | "decoder"): Named<Tensor<Float32Array>> {
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
  read(tinyConfig(side)).forward(build);
  const random = createRandom(11);
  return Object.fromEntries([...recorded.parameters.values()].map((p) => {
    const data = new Float32Array(sizeOf(p.shape));
    fillNormal(random.fork(p.name), data, 0.2);
    return [p.name, { dtype: "float32" as const, dims: p.shape, data: data.map((x) => p.init === "ones" ? 1 + x : x) }];
  }));
}

/** Returns the tiny model's files. */
export function tinyFiles(side: "encoder" | "decoder"): Named<Uint8Array> {
  return { "config.json": jsonBytes(tinyConfig(side)), "model.safetensors": writeSafetensors(tinyWeights(side)) };
}

/** Opens the tiny model, or, with `path`, a model that an exporter wrote into a folder of the host. */
export const tinyModel: Factory<"model", Named<unknown>> = define({
  kind: "model",
  name: "tiny",
  schema: anyOptions,
  create: ({ side, path, config: options }) => ({
    open: async (host: Host): Promise<Checkpoint> => {
      if (options !== undefined) return untrained(options as Named<Json>);
      const files: Store = typeof path === "string"
        ? host.directory?.(path) ?? readOnlyStore({})
        : readOnlyStore(tinyFiles(side === "decoder" ? "decoder" : "encoder"));
      const [config, weights] = [await files.get("config.json"), await files.get("model.safetensors")];
      if (!config || !weights) throw missing("tiny", "config.json and model.safetensors", String(path));
      return {
        config: jsonObject("tiny", "config.json", config.bytes),
        files,
        weights: await openWeights(files),
        fingerprint: async () => await sha256([await sha256(config.bytes), await sha256(weights.bytes)].join()),
        label: "tiny",
      };
    },
  }),
});

/** Returns a checkpoint of a config without weights, which are initialized at random. */
function untrained(config: Named<Json>): Checkpoint {
  return {
    config,
    files: readOnlyStore({}),
    weights: {
      names: [],
      read: (name) => Promise.reject(missing("tiny", `tensor "${name}"`, "a model of a config")),
      locate: () => undefined,
    },
    fingerprint: async () => await sha256(JSON.stringify(config)),
    label: "tiny",
  };
}
