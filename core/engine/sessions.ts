/** ONNX Runtime sessions, with options chosen by measurement and frozen weights mapped from their files. */
import { AttuneError } from "../base/errors.ts";
import type { OnnxModel, OnnxValueInfo } from "../onnx/model.ts";
import { writeOnnx } from "../onnx/write.ts";
import type { Named, OrtSession, OrtTensor, TrainedProduct, TrainedProducts } from "../types.ts";
import type { Graph, Shape, Value } from "../graph/graph.ts";
import type { CodeLowering } from "./lower/context.ts";
import { lower, type Lowered } from "./lower/lower.ts";
import type { Storage } from "./lower/storage.ts";
import { storeWeights, type WeightOptions } from "./session_weights.ts";

/** An open session with the names of its feeds. */
export type Session = Readonly<{
  feeds: ReadonlyMap<string, Value>;
  shapes: ReadonlyMap<string, Shape>;
  outputs: readonly string[];
  /** Bytes of frozen weights in mapped files, and in the session's own memory. */
  mappedBytes: number;
  inlineBytes: number;
  run(
    feeds: Readonly<Record<string, OrtTensor>>,
    fetches?: Readonly<Record<string, OrtTensor | null>>,
  ): Promise<Readonly<Record<string, OrtTensor>>>;
  close(): Promise<void>;
}>;

/** How to open a session. */
export type SessionOptions =
  & WeightOptions
  & Readonly<{
    graph: Graph;
    /** Whether frozen weights are packed for matrix products, which is faster but takes another copy of them. */
    prepack: boolean;
    /** Whether the memory of a run is kept for the next one. */
    arena: boolean;
    /** Ids of values that the backward pass recomputes instead of keeping. */
    recomputed?: ReadonlySet<number>;
    /** How products with trained weights are computed; absent: in float32. */
    products?: TrainedProducts | undefined;
  }>;

/** Opens a session. Throws AttuneError if the host has no onnxruntime or a tensor does not match its config. */
export async function openSession(options: SessionOptions): Promise<Session> {
  const { lowered: { model, feeds, shapes, outputs }, shared, mappedBytes, inlineBytes, open } = await prepareSession(
    options,
  );
  const session = await open(model);
  return {
    feeds,
    shapes,
    outputs: [...outputs.keys()],
    mappedBytes,
    inlineBytes,
    run: (feeds, fetches) => session.run({ ...shared, ...feeds }, fetches ?? {}),
    close: () => session.release(),
  };
}

/**
 * A session that is not open yet: its model, the further feeds of every run, and a function that opens the model or a
 * part of it.
 */
export type PreparedSession = Readonly<{
  lowered: Lowered;
  shared: Readonly<Record<string, OrtTensor>>;
  mappedBytes: number;
  inlineBytes: number;
  open(model: OnnxModel): Promise<OrtSession>;
}>;

/** Prepares a session. Throws AttuneError if the host has no onnxruntime or a tensor does not fit its config. */
export async function prepareSession(options: SessionOptions): Promise<PreparedSession> {
  const { host, graph } = options;
  const lib = host.lib;
  if (!lib) {
    throw new AttuneError("This host has no onnxruntime: pass one as host.lib", {
      code: "NO_RUNTIME",
      plugin: "engine",
    });
  }
  const { storage, files, beside, inlineBytes, codes, packs } = await storeWeights(options);
  const folder = commonFolder(files.map((f) => f.file));
  for (const { name, file, bytes: length, ...place } of files) {
    storage.set(name, { as: "external", location: file.slice(folder.length + 1), length, ...place });
  }
  const lowered = lower(
    graph,
    (name) => storage.get(name) ?? { as: "feed" },
    host.provider,
    options.recomputed,
    await codesIn(options, storage),
  );
  const shared: Record<string, OrtTensor> = {};
  for (const [name, { dtype, data, dims }] of codes) shared[name] = new lib.Tensor(dtype, data, dims);
  return {
    lowered,
    shared,
    mappedBytes: files.reduce((total, f) => total + f.bytes, 0),
    inlineBytes,
    open: (model) =>
      lib.InferenceSession.create(writeOnnx(unshaped(model)), {
        ...sessionOptions({ ...options, prepack: options.prepack || packs }, files.length > 0 ? folder : undefined),
        ...(beside.length > 0 ? { externalData: beside } : {}),
      }),
  };
}

/** Returns the lowering of encoded weights and products, if there are any, as far as the provider's kernels work. */
async function codesIn(
  { host, parameters, products }: SessionOptions,
  storage: ReadonlyMap<string, Storage>,
): Promise<CodeLowering | undefined> {
  if (!products && ![...storage.values()].some(({ as }) => as === "encoded")) return undefined;
  const { lowerCodes } = await import("./lower/encoded.ts");
  const usable = new Map<string, TrainedProduct>();
  if (!products) return lowerCodes(usable);
  const { usableProducts } = await import("./format_check.ts");
  for (const name of parameters.keys()) {
    const product = products.of(name);
    if (product) usable.set(name, { ...product, format: await usableProducts(host, product.format) });
  }
  return lowerCodes(usable);
}

/** Returns the runtime's options; `folder`: that of the weight files. */
function sessionOptions({ host, arena, prepack }: SessionOptions, folder: string | undefined): Named<unknown> {
  return {
    executionProviders: [host.provider],
    graphOptimizationLevel: "disabled",
    enableMemPattern: false,
    // Without an arena, the memory of a run is freed after it.
    enableCpuMemArena: arena,
    ...(host.threads === undefined ? {} : { intraOpNumThreads: host.threads }),
    logSeverityLevel: 3,
    extra: {
      session: {
        disable_prepacking: prepack ? "0" : "1",
        intra_op: { allow_spinning: "0" },
        ...(folder === undefined ? {} : { model_external_initializers_file_folder_path: folder }),
      },
    },
  };
}

/**
 * Removes the shapes of a model's inputs, and makes constant sizes inputs, so that ONNX Runtime cannot infer shapes. If
 * it could, it would search, for every value of every node, all values no longer needed for one of the same shape. For
 * thousands of nodes, this is most of the time to open a session, and saves nothing: the arena reuses memory anyway.
 */
function unshaped(model: OnnxModel): OnnxModel {
  const plain = ({ name, dtype }: OnnxValueInfo): OnnxValueInfo => ({ name, dtype });
  const { inputs, outputs, initializers } = model.graph;
  // An initializer that is also an input could be fed, so it does not count as a constant.
  const sizes = initializers.filter(({ dtype }) => dtype === "int64");
  return { ...model, graph: { ...model.graph, inputs: [...inputs, ...sizes].map(plain), outputs: outputs.map(plain) } };
}

/** Returns the deepest folder that contains all files. */
function commonFolder(files: readonly string[]): string {
  const parts = files.map((file) => file.split("/").slice(0, -1));
  const first = parts[0] ?? [];
  let depth = first.length;
  for (const other of parts) {
    while (depth > 0 && first.slice(0, depth).join("/") !== other.slice(0, depth).join("/")) depth--;
  }
  return first.slice(0, depth).join("/");
}
