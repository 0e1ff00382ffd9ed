/**
 * The storage of a session's weights: fed, mapped from the checkpoint's files, in the model, or in memory beside it.
 */
import { sizeOf, type Tensor } from "../base/tensor.ts";
import type { Checkpoint, Host } from "../types.ts";
import type { Parameter } from "./builder/parameters.ts";
import { encodedName, type Storage, type StoredTensor } from "./lower/storage.ts";
import { type Half, isHalf, placeWeights } from "./placement.ts";
import { checkDims, type InitialWeights, MISMATCHED } from "./weights.ts";

/** The weights of a session, and how to store them. */
export type WeightOptions = Readonly<{
  host: Host;
  parameters: ReadonlyMap<string, Parameter>;
  checkpoint: Checkpoint;
  initial: InitialWeights;
  /** The trained parameters, with the number of rows of shortened tables. */
  fed: ReadonlyMap<string, Readonly<{ rows?: number }>>;
  /** Whether 16-bit weights become float32 once, in memory, rather than in each run. */
  decoded?: boolean;
  /** Whether quantized weights stay integers if memory is scarce, and are decoded in each run. */
  compact?: boolean;
}>;

/** The stored weights of a model, by parameter name. */
export type StoredWeights = {
  /** The storage of all weights except those in files, whose common folder is not known yet. */
  readonly storage: Map<string, Storage>;
  readonly files: MappedWeight[];
  /** Data passed beside the model to the WebAssembly build, which has no files: it is not parsed, and copied once. */
  readonly beside: { path: string; data: Uint8Array }[];
  inlineBytes: number;
  /** Further feeds of every run: encoded weights, which all sessions share. */
  readonly codes: Map<string, Tensor>;
  /** Whether the products of some weights work only if the runtime packs them. */
  packs: boolean;
};

/** A weight in a mapped file. */
export type MappedWeight = Readonly<{ name: string; file: string; offset: number; bytes: number; dtype?: Half }>;

/** Tensors of fewer bytes than this are stored within the model. */
const SMALL = 1024;

/** If a machine has less memory than this many times the decoded model, quantized weights stay quantized. */
const SCARCE = 8;

/** Stores every parameter for a session. Throws AttuneError if a tensor does not have the dims of the config. */
export async function storeWeights(options: WeightOptions): Promise<StoredWeights> {
  const { host, parameters, checkpoint, fed } = options;
  const { mappedAt, besides } = placeWeights({
    ...options,
    parameters: parameters.values(),
    isFed: (name) => fed.has(name),
    provider: host.provider,
  });
  const all = [...parameters.values()].reduce((bytes, p) => bytes + 4 * sizeOf(p.shape), 0);
  const compact = options.compact === true && host.provider !== "cpu" && SCARCE * all > host.memoryBytes;
  const stored: StoredWeights = {
    storage: new Map(),
    files: [],
    beside: [],
    inlineBytes: 0,
    codes: new Map(),
    packs: false,
  };
  for (const p of parameters.values()) {
    const trained = fed.get(p.name);
    const encoded = !trained && options.initial.storageOf(p) !== undefined;
    const mapped = trained || encoded || besides ? undefined : mappedAt(p);
    if (encoded) await storeCodes(options, besides, stored, p);
    else if (trained) stored.storage.set(p.name, { as: "feed", rows: trained.rows });
    else if (mapped) {
      checkDims(p, mapped.dims, checkpoint.label, MISMATCHED);
      const { file, offset, bytes, dtype } = mapped;
      stored.files.push({ name: p.name, file, offset, bytes, ...(isHalf(dtype) ? { dtype } : {}) });
    } else if (!(compact && await storeIntegers(options, stored, p))) {
      await storeFloats(options, besides, stored, p);
    }
  }
  return stored;
}

/** Stores a weight as its codes: on a CPU, all sessions are fed the same copy; elsewhere each has its own. */
async function storeCodes(
  { initial, host }: WeightOptions,
  besides: boolean,
  session: StoredWeights,
  p: Parameter,
): Promise<void> {
  const storage = initial.storageOf(p);
  if (!storage) return;
  const { weight, sample } = storage;
  const { tensors, format: stored } = await initial.encode(p);
  const { usableFormat } = await import("./format_check.ts");
  const format = await usableFormat(host, stored, () => sample?.() ?? { weight, format: stored, tensors });
  const codes: Record<string, StoredTensor> = {};
  for (const [name, tensor] of Object.entries(tensors)) {
    const { dtype, dims, data } = tensor;
    const isFed = host.provider === "cpu" && !format.constants?.includes(name);
    if (isFed) session.codes.set(encodedName(p.name, name), tensor);
    else session.inlineBytes += data.byteLength;
    const place = isFed ? {} : besides ? { location: placeBeside(session, data) } : { data };
    codes[name] = { dtype, dims, ...place };
  }
  session.packs ||= (format.constants ?? []).length > 0;
  session.storage.set(p.name, { as: "encoded", weight, format, tensors: codes });
}

/** Stores a weight as the checkpoint's integers; returns false if it is not stored as integers. */
async function storeIntegers(
  { initial, checkpoint }: WeightOptions,
  stored: StoredWeights,
  p: Parameter,
): Promise<boolean> {
  const name = initial.nameInCheckpoint(p);
  const integers = name === undefined ? undefined : await checkpoint.weights.quantized?.(name);
  if (!integers) return false;
  checkDims(p, integers.values.dims, checkpoint.label, MISMATCHED);
  const { data } = integers.values;
  stored.inlineBytes += data.byteLength;
  stored.storage.set(p.name, { as: "int8", location: placeBeside(stored, data), scale: integers.scale });
  return true;
}

async function storeFloats(
  { initial }: WeightOptions,
  besides: boolean,
  stored: StoredWeights,
  p: Parameter,
): Promise<void> {
  const tensor = await initial.read(p);
  const length = tensor.data.byteLength;
  stored.inlineBytes += length;
  stored.storage.set(
    p.name,
    !besides || length < SMALL
      ? { as: "inline", tensor }
      : { as: "external", location: placeBeside(stored, tensor.data), offset: 0, length },
  );
}

/** Adds bytes to those passed beside the model, and returns the name that the model refers to them by. */
function placeBeside({ beside }: StoredWeights, { buffer, byteOffset, byteLength }: ArrayBufferView): string {
  const path = `tensor${beside.length}`;
  beside.push({ path, data: new Uint8Array(buffer, byteOffset, byteLength) });
  return path;
}
