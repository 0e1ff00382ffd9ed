/** Where parameters' first values come from: a saved adapter, the checkpoint, or their own initialisation. */
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

/** Finds and reads first values. */
export interface InitialWeights {
  /** The checkpoint's own name of a parameter, if its value comes from there. */
  nameInCheckpoint(parameter: Parameter): string | undefined;
  /** Whether a parameter has no saved value and is drawn. */
  isNew(parameter: Parameter): boolean;
  /** The value; throws AttuneError where a saved tensor has other dims. */
  read(parameter: Parameter): Promise<Tensor<Float32Array>>;
  /** How a parameter is stored where it does not train, if as codes. */
  storageOf(parameter: Parameter): ReturnType<FrozenWeights["storageOf"]>;
  /** Its codes; encoded once for all sessions. */
  encode(parameter: Parameter): Promise<EncodedWeight>;
  /** The value as sessions compute with it, where it does not train. */
  readStored(parameter: Parameter): Promise<Tensor<Float32Array>>;
}

/** First values of parameters of a checkpoint with what is attached to it. */
export function initialWeights(
  checkpoint: Checkpoint,
  attached: readonly AttachedAdapter[],
  backbone: Pick<InspectedBackbone, "baseModelPrefix" | "family" | "ties">,
  random: Random,
): InitialWeights {
  const inCheckpoint = storedNames(checkpoint.weights.names, backbone);
  // Of several tasks' heads, one that the checkpoint has is only theirs whom it fits; so is any where others are passed
  // over.
  const stored = (p: Parameter): string | undefined => {
    const tensorName = inCheckpoint(p.unqualifiedName);
    const dims = tensorName === undefined ? undefined : checkpoint.weights.locate(tensorName)?.dims;
    const passed = p.name !== p.unqualifiedName || checkpoint.ignoreMismatchedSizes === true;
    return passed && dims && !fits(p, dims) ? undefined : tensorName;
  };
  // The last adapter that has it; its own parameters may stand under its name.
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
  // What initialisations read: the checkpoint under the model's names, as it is computed with, and of what it lacks what is drawn.
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

/** The values of a weight as sessions compute with it, in the form that the model has it in. */
function decodeWeight({ format, tensors }: EncodedWeight, { dims, conv1d }: LinearWeight): Float32Array {
  const values = format.decode(tensors, dims);
  return conv1d ? transposeMatrix(values, dims[0], dims[1]) : values;
}

/** Bytes of a parameter that does not train: as it is stored where that is codes or 16 bits, as float32 else. */
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

/** Bytes that decoding takes for a while: those of the weight that takes the most, with what is made on the way. */
export function decodingBytes(frozen: readonly Parameter[], initial: Pick<InitialWeights, "storageOf">): number {
  return frozen.reduce((most, p) => {
    const storage = initial.storageOf(p);
    return storage ? Math.max(most, 4 * sizeOf(p.shape) + storage.format.decodingBytes(storage.weight.dims)) : most;
  }, 0);
}

/** Whether some products are computed in another format to save time. */
export function savesTime(
  parameters: Iterable<Parameter>,
  initial: Pick<InitialWeights, "storageOf">,
  { products }: Pick<Checkpoint, "products">,
): boolean {
  return [...parameters].some((p) => (initial.storageOf(p) ?? products?.of(p.name))?.format.savesTime === true);
}

/** What lets a checkpoint's tensors of other dims be drawn. */
export const MISMATCHED = "; for a head with other classes, model.with.ignoreMismatchedSizes initializes it anew";

/**
 * The name that a file has for a parameter, by the names of the file: its own, one of older libraries, or that of a
 * tensor that it shares, whichever of those is there.
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

/** Throws where a stored tensor does not have the dims that the config asks for. */
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
 * Names of a tensor: a bare encoder is saved without its prefix, a model with a head with it; older files of a family
 * have other ones.
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
