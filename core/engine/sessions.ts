/**
 * ONNX Runtime sessions: the options that measurement chose, frozen weights mapped from where they lie.
 * @module
 */
import { AttuneError } from "../errors.ts";
import type { OnnxModel, OnnxValueInfo } from "../onnx/model.ts";
import { writeOnnx } from "../onnx/write.ts";
import { sizeOf } from "../tensor.ts";
import type { Checkpoint, Host, OrtSession, OrtTensor } from "../types.ts";
import type { Graph, Shape, Value } from "../graph/graph.ts";
import type { Parameter } from "./builder/parameters.ts";
import { lower, type Storage } from "./lower.ts";
import { type Half, isHalf, placeWeights } from "./placement.ts";
import { checkDims, type InitialWeights, MISMATCHED } from "./weights.ts";

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

/** How to open a session. `fed`: the trained parameters, with the rows of those that were made smaller. */
export type SessionOptions = Readonly<{
  host: Host;
  graph: Graph;
  parameters: ReadonlyMap<string, Parameter>;
  checkpoint: Checkpoint;
  initial: InitialWeights;
  fed: ReadonlyMap<string, Readonly<{ rows?: number }>>;
  /** Packs frozen weights for the matrix products: faster, one more copy of them. */
  prepack: boolean;
  /** Weights of 16 bits become float32 once, in memory, rather than in each run. */
  decoded?: boolean;
  /** Keeps the memory of a run for the next one. */
  arena: boolean;
  /** Values that the backward pass makes anew instead of keeping them. */
  recomputed?: ReadonlySet<number>;
  /** Leaves integers as they are stored where memory is scarce: they are decoded in each run. */
  compact?: boolean;
}>;

/** Smaller tensors stand in the model itself, in bytes. */
const SMALL = 1024;

/** Where a machine has less memory than so many times what a model takes decoded, it stays as it is stored. */
const SCARCE = 8;

/** Opens a session. Throws AttuneError where the host has no onnxruntime or a tensor does not fit its config. */
export async function openSession(options: SessionOptions): Promise<Session> {
  const { host, graph, parameters, checkpoint, initial, fed } = options;
  const lib = host.lib;
  if (!lib) {
    throw new AttuneError("This host has no onnxruntime: pass one as host.lib", {
      code: "NO_RUNTIME",
      plugin: "engine",
    });
  }
  const storage = new Map<string, Storage>();
  const files: Mapped[] = [];
  // The WebAssembly build has no files; what it is handed beside the model is not parsed, and copied once.
  const beside: { path: string; data: Uint8Array }[] = [];
  let inlineBytes = 0;
  const place = (bytes: Uint8Array): string =>
    `tensor${beside.push({ path: `tensor${beside.length}`, data: bytes }) - 1}`;
  const all = [...parameters.values()].reduce((bytes, p) => bytes + 4 * sizeOf(p.shape), 0);
  const compact = options.compact === true && host.provider !== "cpu" && SCARCE * all > host.memoryBytes;
  const { mappedAt, besides } = placeWeights({
    parameters: parameters.values(),
    isFed: (name) => fed.has(name),
    initial,
    checkpoint,
    provider: host.provider,
    decoded: options.decoded,
  });
  for (const p of parameters.values()) {
    const own = fed.get(p.name);
    if (own) {
      storage.set(p.name, { as: "feed", rows: own.rows });
      continue;
    }
    const name = initial.nameInCheckpoint(p);
    const at = besides ? undefined : mappedAt(p);
    if (at) {
      checkDims(p, at.dims, checkpoint.label, MISMATCHED);
      files.push({
        name: p.name,
        file: at.file,
        offset: at.offset,
        bytes: at.bytes,
        ...(isHalf(at.dtype) ? { dtype: at.dtype } : {}),
      });
    } else {
      const stored = compact && name !== undefined ? await checkpoint.weights.quantized?.(name) : undefined;
      if (stored) {
        checkDims(p, stored.values.dims, checkpoint.label, MISMATCHED);
        const { buffer, byteOffset, byteLength } = stored.values.data;
        inlineBytes += byteLength;
        storage.set(p.name, {
          as: "int8",
          location: place(new Uint8Array(buffer, byteOffset, byteLength)),
          scale: stored.scale,
        });
        continue;
      }
      const tensor = await initial.read(p);
      inlineBytes += tensor.data.byteLength;
      if (!besides || tensor.data.byteLength < SMALL) {
        storage.set(p.name, { as: "inline", tensor });
        continue;
      }
      const { buffer, byteOffset, byteLength: length } = tensor.data;
      const location = place(new Uint8Array(buffer, byteOffset, length));
      storage.set(p.name, { as: "external", location, offset: 0, length });
    }
  }
  const folder = commonFolder(files.map((f) => f.file));
  for (const { name, file, bytes: length, ...own } of files) {
    storage.set(name, { as: "external", location: file.slice(folder.length + 1), length, ...own });
  }
  const { model, feeds, shapes, outputs } = lower(
    graph,
    (name) => storage.get(name) ?? { as: "feed" },
    host.provider,
    options.recomputed,
  );
  const bytes = writeOnnx(unshaped(model));
  const session: OrtSession = await lib.InferenceSession.create(bytes, {
    executionProviders: [host.provider],
    graphOptimizationLevel: "disabled",
    enableMemPattern: false,
    // Without an arena, what a run took is given back behind it.
    enableCpuMemArena: options.arena,
    ...(host.threads === undefined ? {} : { intraOpNumThreads: host.threads }),
    logSeverityLevel: 3,
    ...(beside.length > 0 ? { externalData: beside } : {}),
    extra: {
      session: {
        disable_prepacking: options.prepack ? "0" : "1",
        intra_op: { allow_spinning: "0" },
        ...(files.length > 0 ? { model_external_initializers_file_folder_path: folder } : {}),
      },
    },
  });
  return {
    feeds,
    shapes,
    outputs: [...outputs.keys()],
    mappedBytes: files.reduce((total, f) => total + f.bytes, 0),
    inlineBytes,
    run: (given, fetches) => session.run(given, fetches ?? {}),
    close: () => session.release(),
  };
}

/**
 * A model that does not tell the shapes of what it is fed, nor lets them be told from what sizes are constant. Where shapes
 * are known, ONNX Runtime looks for every value of every node through all that are no longer needed for one of the same
 * shape, which for thousands of nodes takes most of the time until a session is open; its arena gives memory back and takes
 * it again all the same.
 */
function unshaped(model: OnnxModel): OnnxModel {
  const plain = ({ name, dtype }: OnnxValueInfo): OnnxValueInfo => ({ name, dtype });
  const { inputs, outputs, initializers } = model.graph;
  // What is an input, too, could be fed, and is no constant.
  const sizes = initializers.filter(({ dtype }) => dtype === "int64");
  return { ...model, graph: { ...model.graph, inputs: [...inputs, ...sizes].map(plain), outputs: outputs.map(plain) } };
}

/** A weight that lies in a mapped file. */
type Mapped = Readonly<{ name: string; file: string; offset: number; bytes: number; dtype?: Half }>;

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
