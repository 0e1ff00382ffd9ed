/**
 * The linear weights that accelerators handle. Frozen ones are stored in the format of an accelerator or the
 * checkpoint: encoded once, one at a time, and shared by all sessions. For trained ones, products may use another
 * format.
 */
import { AttuneError, badValue, nearest, show } from "../base/errors.ts";
import { transposeMatrix } from "../math/transpose.ts";
import type {
  Accelerator,
  Checkpoint,
  EncodedWeight,
  FrozenStorage,
  FrozenWeights,
  InspectedBackbone,
  LinearWeight,
  Tensor,
  TrainedProduct,
  TrainedProducts,
  WeightStorage,
} from "../types.ts";
import { SAMPLE, sampleValues } from "./format_check.ts";

/** The model and run whose weights accelerators may handle. */
export type FrozenOptions = Readonly<{
  accelerators: readonly Accelerator[];
  checkpoint: Pick<Checkpoint, "quantization" | "weights" | "label">;
  /** The model with its heads, as adapters see it. */
  backbone: InspectedBackbone;
  /** Paths of the linear layers that belong to heads. */
  heads: ReadonlySet<string>;
  /** Modules that adapters save, and train, as a whole. */
  modulesToSave: readonly string[];
  /** Whether a parameter of the model trains. */
  trains: (name: string) => boolean;
  /** Whether the run has an adapter; if so, products with trained weights stay in float32. */
  isAdapted: boolean;
  /** Returns the checkpoint's name of a parameter. */
  nameInCheckpoint: (name: string) => string | undefined;
}>;

/** The weights that accelerators handle; undefined: none. */
export type AcceleratedWeights = Readonly<
  { frozen: FrozenWeights | undefined; products: TrainedProducts | undefined }
>;

/**
 * Asks the accelerators, in order, how each eligible weight is stored or multiplied.
 *
 * @throws AttuneError if an accelerator names modules that do not exist, or no weight is left for one that only stores.
 */
export function accelerateWeights(options: FrozenOptions): AcceleratedWeights {
  const { accelerators, checkpoint, backbone } = options;
  refuseQuantizedTwice(accelerators, checkpoint);
  checkModules(accelerators, backbone.linears);
  const used = new Set<Accelerator>();
  const weights = chooseFormats(options, used);
  const products = options.isAdapted ? new Map<string, TrainedProduct>() : trainedProducts(options, used);
  accelerators.forEach((accelerator, i) => {
    if (accelerator.needsFrozenWeights && !used.has(accelerator)) throw nothingLeft(accelerator, i);
  });
  return {
    frozen: weights.size === 0 ? undefined : frozenWeights(weights, checkpoint),
    products: products.size === 0 ? undefined : { of: (name) => products.get(name) },
  };
}

/** Chooses the storage of frozen weights, by name. */
function chooseFormats(options: FrozenOptions, used: Set<Accelerator>): ReadonlyMap<string, Given> {
  const { accelerators, checkpoint: { weights: { formatOf } }, nameInCheckpoint } = options;
  const weights = new Map<string, Given>();
  for (const weight of linearWeights(options, false)) {
    const source = nameInCheckpoint(weight.name);
    const format = source === undefined ? undefined : formatOf?.(source);
    // Weights that are quantized in the checkpoint stay as they are.
    if (format) {
      weights.set(weight.name, { weight, storage: { format, encode: () => ({}) }, source });
      continue;
    }
    for (const accelerator of accelerators) {
      const storage = isWanted(accelerator, weight.module) ? accelerator.store?.(weight) : undefined;
      if (!storage) continue;
      weights.set(weight.name, { weight, storage, accelerator });
      used.add(accelerator);
      break;
    }
  }
  return weights;
}

/** Chooses the format of products with trained weights, by name. */
function trainedProducts(options: FrozenOptions, used: Set<Accelerator>): ReadonlyMap<string, TrainedProduct> {
  const products = new Map<string, TrainedProduct>();
  for (const weight of linearWeights(options, true)) {
    for (const accelerator of options.accelerators) {
      const format = isWanted(accelerator, weight.module) ? accelerator.multiply?.(weight) : undefined;
      if (!format) continue;
      products.set(weight.name, { weight, format });
      used.add(accelerator);
      break;
    }
  }
  return products;
}

function frozenWeights(storages: ReadonlyMap<string, Given>, { weights }: FrozenOptions["checkpoint"]): FrozenWeights {
  const { encoded } = weights;
  const stored = new Map([...storages].map(([name, one]) => [name, storageOf(one)]));
  const known = new Map<string, Promise<EncodedWeight>>();
  const encode = async (name: string, read: () => Promise<Tensor<Float32Array>>): Promise<EncodedWeight> => {
    const { weight, storage, source } = storages.get(name) as Given;
    const reencoded = source === undefined ? undefined : await encoded?.(source);
    if (reencoded) return reencoded;
    const { data } = await read();
    const values = weight.conv1d ? transposeMatrix(data, weight.dims[1], weight.dims[0]) : data;
    return { format: storage.format, tensors: storage.encode(values, weight) };
  };
  return {
    storageOf: (name) => stored.get(name),
    encode: (name, read) => {
      const before = known.get(name);
      if (before) return before;
      const encoded = encode(name, read);
      known.set(name, encoded);
      return encoded;
    },
  };
}

/** A weight and what stores it: an accelerator, or a checkpoint that has it quantized, under the name `source`. */
type Given = Readonly<
  { weight: LinearWeight; storage: WeightStorage; accelerator?: Accelerator; source?: string | undefined }
>;

function storageOf({ weight, storage, accelerator, source }: Given): FrozenStorage {
  const { format } = storage;
  if (source !== undefined) return { weight, format };
  return {
    weight,
    format,
    sample: () => {
      const sample: LinearWeight = { ...weight, dims: SAMPLE, conv1d: false };
      // A storage may depend on the weight's sizes, so the sample gets its own.
      const codes = accelerator?.store?.(sample);
      if (codes?.format.label !== format.label) return undefined;
      return { weight: sample, format, tensors: codes.encode(sampleValues(), sample) };
    },
  };
}

/** Returns the eligible linear layers of the model: not those of heads, tied ones, or ones that must stay float32. */
function linearWeights(options: FrozenOptions, train: boolean): readonly LinearWeight[] {
  const { backbone, heads, modulesToSave, trains } = options;
  const { linears, conv1ds, shapes, ties, family } = backbone;
  const shared = new Set([...Object.keys(ties), ...Object.values(ties)]);
  const modules = [...modulesToSave, ...family.keepInFp32Modules ?? []];
  return linears.flatMap((module): LinearWeight[] => {
    const name = `${module}.weight`;
    const [rows = 0, columns = 0] = shapes[name] ?? [];
    if (heads.has(module) || shared.has(name) || trains(name) !== train || shapes[name]?.length !== 2) return [];
    if (modules.some((entry) => names(entry, module))) return [];
    const conv1d = conv1ds.includes(module);
    return [{ name, module, dims: conv1d ? [columns, rows] : [rows, columns], conv1d }];
  });
}

/** Whether an entry equals a module's whole name, a dotted part of it, or its end. */
function names(entry: string, module: string): boolean {
  return `.${module}.`.includes(`.${entry}.`) || module.endsWith(entry);
}

function isWanted({ modules }: Accelerator, module: string): boolean {
  if (!modules) return true;
  const { targetModules, skipModules } = modules;
  return !skipModules.some((entry) => names(entry, module)) &&
    (targetModules?.some((entry) => names(entry, module)) ?? true);
}

function checkModules(accelerators: readonly Accelerator[], linears: readonly string[]): void {
  accelerators.forEach(({ modules }, i) => {
    for (const key of ["skipModules", "targetModules"] as const) {
      modules?.[key]?.forEach((entry, j) => {
        if (linears.some((module) => names(entry, module))) return;
        const allowed = [...new Set(linears.map((path) => path.split(".").at(-1) ?? path))];
        const near = nearest(entry, allowed);
        const path = `accelerators.${i}.with.${key}.${j}`;
        throw new AttuneError(
          `${path}: ${show(entry)} matches no linear layer${near ? `, did you mean ${show(near)}?` : "."} ` +
            `There are ${allowed.map(show).join(", ")}`,
          { code: "NO_MATCH", plugin: "spec", path, found: entry, allowed },
        );
      });
    }
  });
}

function refuseQuantizedTwice(
  accelerators: readonly Accelerator[],
  { quantization, label }: FrozenOptions["checkpoint"],
): void {
  const i = accelerators.findIndex((one) => one.needsFrozenWeights);
  if (i < 0 || !quantization) return;
  throw badValue(
    "spec",
    `accelerators.${i}`,
    accelerators[i]?.name,
    `no quantizer: ${label} is already quantized (${quantization.method})`,
  );
}

function nothingLeft({ name, modules }: Accelerator, i: number): AttuneError {
  const why = modules?.targetModules || modules?.skipModules.length
    ? "no frozen linear layer is left among these modules"
    : "every linear layer trains or has another accelerator";
  return badValue("spec", `accelerators.${i}`, name, `weights to quantize (${why})`);
}
