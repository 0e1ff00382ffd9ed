/** ONNX Runtime sessions: the options that measurement chose, frozen weights mapped from where they lie. */
import { AttuneError } from "../base/errors.ts";
import type { OnnxModel, OnnxValueInfo } from "../onnx/model.ts";
import { writeOnnx } from "../onnx/write.ts";
import type { Named, OrtSession, OrtTensor, TrainedProduct, TrainedProducts } from "../types.ts";
import type { Graph, Shape, Value } from "../graph/graph.ts";
import type { CodeLowering } from "./lower/context.ts";
import { lower, type Lowered } from "./lower/lower.ts";
import type { Storage } from "./lower/storage.ts";
import { storeWeights, type WeightOptions } from "./session_weights.ts";

/** An open session with what it must be fed. */
export type Session = Readonly<{
  feeds: ReadonlyMap<string, Value>;
  shapes: ReadonlyMap<string, Shape>;
  outputs: readonly string[];
  /** Bytes of frozen weights that lie in mapped files, and in memory of the session's own. */
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
    /** Packs frozen weights for the matrix products: faster, one more copy of them. */
    prepack: boolean;
    /** Keeps the memory of a run for the next one. */
    arena: boolean;
    /** Values that the backward pass makes anew instead of keeping them. */
    recomputed?: ReadonlySet<number>;
    /** How products over weights that train are computed; absent: in float32. */
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
 * A session that is not open yet: its model, what every run is fed besides, and what opens that model or a part of it.
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

/** What lowers codes, where weights are stored as some or products are computed with some, as far as the provider's kernels are right. */
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

/** The runtime's options; `folder`: where the files of weights lie. */
function sessionOptions({ host, arena, prepack }: SessionOptions, folder: string | undefined): Named<unknown> {
  return {
    executionProviders: [host.provider],
    graphOptimizationLevel: "disabled",
    enableMemPattern: false,
    // Without an arena, what a run took is given back behind it.
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
 * A model that does not tell the shapes of what it is fed, nor lets them be told from what sizes are constant. Where
 * shapes are known, ONNX Runtime looks for every value of every node through all that are no longer needed for one of
 * the same shape, which for thousands of nodes takes most of the time until a session is open; its arena gives memory
 * back and takes it again all the same.
 */
function unshaped(model: OnnxModel): OnnxModel {
  const plain = ({ name, dtype }: OnnxValueInfo): OnnxValueInfo => ({ name, dtype });
  const { inputs, outputs, initializers } = model.graph;
  // What is an input, too, could be fed, and is no constant.
  const sizes = initializers.filter(({ dtype }) => dtype === "int64");
  return { ...model, graph: { ...model.graph, inputs: [...inputs, ...sizes].map(plain), outputs: outputs.map(plain) } };
}

/** The folder that all files lie below. */
function commonFolder(files: readonly string[]): string {
  const parts = files.map((file) => file.split("/").slice(0, -1));
  const first = parts[0] ?? [];
  let depth = first.length;
  for (const other of parts) {
    while (depth > 0 && first.slice(0, depth).join("/") !== other.slice(0, depth).join("/")) depth--;
  }
  return first.slice(0, depth).join("/");
}
