/** The initial values of parameters: from a saved adapter, the checkpoint, or their own initialisation. */
import { AttuneError, badFile, missing, show } from "../base/errors.ts";
import { sizeOf, type Tensor } from "../base/tensor.ts";
import { transposeMatrix } from "../math/transpose.ts";
import { fillNormal, fillUniform, type Random } from "../math/random.ts";
import type {
  AttachedAdapter,
  Checkpoint,
  EncodedWeight,
  FrozenWeights,
  InitialValues,
  InspectedBackbone,
  LinearWeight,
  Weights,
} from "../types.ts";
import { type Parameter, qualifyName } from "./builder/parameters.ts";

/** Finds and reads initial values. */
export interface InitialWeights {
  /** Returns the checkpoint's name of a parameter, if its value comes from there. */
  nameInCheckpoint(parameter: Parameter): string | undefined;
  /** Whether a parameter has no saved value, so that it is initialised. */
  isNew(parameter: Parameter): boolean;
  /** Reads the initial value. Throws AttuneError if a saved tensor has other dims. */
  read(parameter: Parameter): Promise<Tensor<Float32Array>>;
  /** Returns how a frozen parameter is stored, if it is encoded. */
  storageOf(parameter: Parameter): ReturnType<FrozenWeights["storageOf"]>;
  /** Encodes a frozen parameter, once for all sessions. */
  encode(parameter: Parameter): Promise<EncodedWeight>;
  /** Reads a frozen parameter as sessions compute with it, decoded if it is encoded. */
  readStored(parameter: Parameter): Promise<Tensor<Float32Array>>;
}

/** Creates the initial values for a checkpoint with attached adapters. */
export function initialWeights(
  checkpoint: Checkpoint,
  attached: readonly AttachedAdapter[],
  backbone: Pick<InspectedBackbone, "baseModelPrefix" | "family" | "ties">,
  random: Random,
): InitialWeights {
  const inCheckpoint = storedNames(checkpoint.weights.names, backbone);
  // A head in the checkpoint is used only by those of several tasks whom its dims fit; the same holds for every tensor
  // if mismatched sizes are ignored.
  const stored = (p: Parameter): string | undefined => {
    const tensorName = inCheckpoint(p.unqualifiedName);
    const dims = tensorName === undefined ? undefined : checkpoint.weights.locate(tensorName)?.dims;
    const passed = p.name !== p.unqualifiedName || checkpoint.ignoreMismatchedSizes === true;
    return passed && dims && !fits(p, dims) ? undefined : tensorName;
  };
  // The last adapter that has a value provides it; an adapter's own parameters may be prefixed with its name.
  const savedIn = (name: string): (() => Promise<Tensor<Float32Array>>) | undefined => {
    for (const a of attached.toReversed()) {
      const tensorName = a.weights?.names.find((n) =>
        aliasesOf(n, backbone).some((m) => m === name || qualifyName(a, m) === name)
      );
      if (tensorName !== undefined) return () => (a.weights as Weights).read(tensorName);
    }
    return undefined;
  };
  const { frozen } = checkpoint;
  // Initialisers read the checkpoint by the model's names, as computed with; what it lacks is initialised first.
  const valuesFor = ({ build }: Parameter): InitialValues => {
    const drawnFor = (name: string): Parameter | undefined => {
      const other = build.get(name) ?? build.get(backbone.ties[name] ?? "") ??
        [...build.values()].find((p) => p.unqualifiedName === name);
      return other && loaded.isNew(other) ? other : undefined;
    };
    const readWhole = async (name: string): Promise<Tensor<Float32Array>> => {
      const other = drawnFor(name);
      return other ? await loaded.read(other) : await checkpoint.weights.read(inCheckpoint(name) ?? name);
    };
    return {
      readWhole,
      read: async (name) => {
        const other = drawnFor(name);
        if (other) return await loaded.readStored(other);
        const storage = inCheckpoint(name) === undefined ? undefined : frozen?.storageOf(name);
        if (!frozen || !storage) return await readWhole(name);
        const data = decodeWeight(await frozen.encode(name, () => readWhole(name)), storage.weight);
        const [rows, columns] = storage.weight.dims;
        return { dtype: "float32", dims: storage.weight.conv1d ? [columns, rows] : [rows, columns], data };
      },
    };
  };
  const storageOf: InitialWeights["storageOf"] = (p) =>
    savedIn(p.unqualifiedName) ? undefined : frozen?.storageOf(p.name);
  const loaded: InitialWeights = {
    nameInCheckpoint: (p) => (savedIn(p.unqualifiedName) ? undefined : stored(p)),
    isNew: (p) => !savedIn(p.unqualifiedName) && stored(p) === undefined,
    storageOf,
    encode: async (p) => {
      if (!frozen) throw missing("engine", p.name, "what is stored as codes");
      return await frozen.encode(p.name, () => loaded.read(p));
    },
    readStored: async (p) => {
      const storage = storageOf(p);
      if (!storage) return await loaded.read(p);
      return { dtype: "float32", dims: p.shape, data: decodeWeight(await loaded.encode(p), storage.weight) };
    },
    read: async (p) => {
      const saved = savedIn(p.unqualifiedName);
      if (saved) return checked(p, await saved(), "the saved adapter");
      const tensorName = stored(p);
      if (tensorName !== undefined) {
        const tensor = await checkpoint.weights.read(tensorName);
        checkDims(p, tensor.dims, checkpoint.label, MISMATCHED);
        return tensor;
      }
      return { dtype: "float32", dims: p.shape, data: await drawValues(p, valuesFor(p), random.fork("init", p.name)) };
    },
  };
  return loaded;
}

/** Decodes a weight to the values that sessions compute with, in the model's orientation. */
function decodeWeight({ format, tensors }: EncodedWeight, { dims, conv1d }: LinearWeight): Float32Array {
  const values = format.decode(tensors, dims);
  return conv1d ? transposeMatrix(values, dims[0], dims[1]) : values;
}

/** Returns the bytes of a frozen parameter: as stored if it is encoded or 16-bit, else as float32. */
export function storedBytes(
  p: Parameter,
  initial: Pick<InitialWeights, "nameInCheckpoint" | "storageOf">,
  checkpoint: Pick<Checkpoint, "weights">,
): number {
  const storage = initial.storageOf(p);
  if (storage) return storage.format.bytes(storage.weight.dims);
  const name = initial.nameInCheckpoint(p);
  const dtype = name === undefined ? undefined : checkpoint.weights.locate(name)?.dtype;
  return (dtype === "float16" || dtype === "bfloat16" ? 2 : 4) * sizeOf(p.shape);
}

/** Returns the temporary bytes that decoding takes: those of the largest weight with intermediate results. */
export function decodingBytes(frozen: readonly Parameter[], initial: Pick<InitialWeights, "storageOf">): number {
  return frozen.reduce((most, p) => {
    const storage = initial.storageOf(p);
    return storage ? Math.max(most, 4 * sizeOf(p.shape) + storage.format.decodingBytes(storage.weight.dims)) : most;
  }, 0);
}

/** Whether some products use another format to save time. */
export function savesTime(
  parameters: Iterable<Parameter>,
  initial: Pick<InitialWeights, "storageOf">,
  { products }: Pick<Checkpoint, "products">,
): boolean {
  return [...parameters].some((p) => (initial.storageOf(p) ?? products?.of(p.name))?.format.savesTime === true);
}

/** Advice on tensors of other dims, for messages. */
export const MISMATCHED = "; for a head with other classes, model.with.ignoreMismatchedSizes initializes it anew";

/**
 * Returns a function that finds the name of a parameter in a file: its own, that of an older library, or that of a
 * tensor that it is tied to, whichever the file has.
 */
export function storedNames(
  names: readonly string[],
  backbone: Pick<InspectedBackbone, "baseModelPrefix" | "family" | "ties">,
): (name: string) => string | undefined {
  const there = new Set(names);
  const find = (name: string): string | undefined => aliasesOf(name, backbone).find((n) => there.has(n));
  return (name) => {
    const tensor = find(name);
    if (tensor !== undefined) return tensor;
    const { ties } = backbone;
    const source = ties[name];
    if (source !== undefined) return find(source);
    for (const [other, of] of Object.entries(ties)) {
      const twin = of === name ? find(other) : undefined;
      if (twin !== undefined) return twin;
    }
    return undefined;
  };
}

/** Checks dims. Throws AttuneError if a stored tensor does not have the dims of the config. */
export function checkDims(p: Parameter, dims: readonly number[], where: string, advice = ""): void {
  if (fits(p, dims)) return;
  throw new AttuneError(
    `${where}: tensor "${p.name}" has dims ${show(dims)} but the config asks for ${show(p.shape)}${advice}`,
    { code: "SHAPE_MISMATCH", plugin: "engine", path: p.name, found: dims, allowed: [show(p.shape)] },
  );
}

function fits({ shape }: Parameter, dims: readonly number[]): boolean {
  return dims.length === shape.length && dims.every((d, i) => d === shape[i]);
}

function checked(p: Parameter, tensor: Tensor<Float32Array>, where: string): Tensor<Float32Array> {
  checkDims(p, tensor.dims, where);
  return tensor;
}

async function drawValues(p: Parameter, weights: InitialValues, random: Random): Promise<Float32Array> {
  const size = sizeOf(p.shape);
  if (typeof p.init === "function") {
    const data = await p.init(weights, random);
    if (data.length !== size) {
      throw badFile("engine", p.name, `its initialisation gave ${data.length} values, not ${size}`);
    }
    return data;
  }
  const data = new Float32Array(size);
  if (p.init === "ones") data.fill(1);
  else if (typeof p.init === "object" && "normal" in p.init) fillNormal(random, data, p.init.normal);
  else if (typeof p.init === "object") fillUniform(random, data, p.init.uniform);
  if (p.paddingIdx !== undefined && typeof p.init === "object") {
    const width = p.shape[1] ?? 1;
    data.fill(0, p.paddingIdx * width, (p.paddingIdx + 1) * width);
  }
  return data;
}

/**
 * Returns the possible names of a tensor in files: with or without the model's prefix, which only models with a head
 * have, and older names of the family.
 */
export function aliasesOf(
  name: string,
  { baseModelPrefix: prefix, family }: Pick<InspectedBackbone, "baseModelPrefix" | "family">,
): string[] {
  const bare = name.startsWith(`${prefix}.`) ? name.slice(prefix.length + 1) : `${prefix}.${name}`;
  const old = (n: string): string =>
    (family.savedNames ?? []).reduce((n, [pattern, replacement]) => n.replace(pattern, replacement), n);
  return [...new Set([name, bare, old(name), old(bare)])];
}
