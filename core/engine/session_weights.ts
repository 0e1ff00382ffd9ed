/**
 * A session's weights as its model has them: fed, mapped from the checkpoint's files, in the model, or in memory beside it.
 */
import { sizeOf, type Tensor } from "../base/tensor.ts";
import type { Checkpoint, Host } from "../types.ts";
import type { Parameter } from "./builder/parameters.ts";
import { encodedName, type Storage, type StoredTensor } from "./lower/storage.ts";
import { type Half, isHalf, placeWeights } from "./placement.ts";
import { checkDims, type InitialWeights, MISMATCHED } from "./weights.ts";

/** Whose weights a session has, and how. */
export type WeightOptions = Readonly<{
  host: Host;
  parameters: ReadonlyMap<string, Parameter>;
  checkpoint: Checkpoint;
  initial: InitialWeights;
  /** The trained parameters, with the rows of those that were made smaller. */
  fed: ReadonlyMap<string, Readonly<{ rows?: number }>>;
  /** Weights of 16 bits become float32 once, in memory, rather than in each run. */
  decoded?: boolean;
  /** Leaves integers as they are stored where memory is scarce: they are decoded in each run. */
  compact?: boolean;
}>;

/** Weights as a model has them, by their parameters' names. */
export type StoredWeights = {
  /** Of all but those in files, whose folder is not known yet. */
  readonly storage: Map<string, Storage>;
  readonly files: MappedWeight[];
  /** The WebAssembly build has no files; what it is handed beside the model is not parsed, and copied once. */
  readonly beside: { path: string; data: Uint8Array }[];
  inlineBytes: number;
  /** What every run is fed besides: codes, which all sessions share. */
  readonly codes: Map<string, Tensor>;
  /** Whether some are multiplied as the runtime packs them, and otherwise not. */
  packs: boolean;
};

/** A weight that lies in a mapped file. */
export type MappedWeight = Readonly<{ name: string; file: string; offset: number; bytes: number; dtype?: Half }>;

/** Smaller tensors stand in the model itself, in bytes. */
const SMALL = 1024;

/** Where a machine has less memory than so many times what a model takes decoded, it stays as it is stored. */
const SCARCE = 8;

/** Stores every parameter for a session. Throws AttuneError if a tensor does not fit its config. */
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

/** Stores a weight as its codes: on a CPU sessions are fed one copy of them, elsewhere each has its own. */
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

/** Stores a weight as the integers that the checkpoint has of it. False where it has none. */
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

/** Puts bytes beside the model, and gives the name that it knows them by. */
function placeBeside({ beside }: StoredWeights, { buffer, byteOffset, byteLength }: ArrayBufferView): string {
  const path = `tensor${beside.length}`;
  beside.push({ path, data: new Uint8Array(buffer, byteOffset, byteLength) });
  return path;
}
