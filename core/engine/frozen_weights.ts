/**
 * Weights of linear layers as the run's accelerators take them. Those that do not train are stored as they, or the checkpoint,
 * have them: encoded once, one at a time, and shared by all sessions. Of those that train products are computed otherwise.
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

/** Where weights may be stored as codes. */
export type FrozenOptions = Readonly<{
  accelerators: readonly Accelerator[];
  checkpoint: Pick<Checkpoint, "quantization" | "weights" | "label">;
  /** The model with its heads, as adapters see it. */
  backbone: InspectedBackbone;
  /** Paths of the linear layers that belong to heads. */
  heads: ReadonlySet<string>;
  /** Modules that train whole beside an adapter, or would. */
  modulesToSave: readonly string[];
  /** Whether a parameter of the model trains. */
  trains: (name: string) => boolean;
  /** Whether the run has an adapter: only without one products over weights that train are computed otherwise. */
  isAdapted: boolean;
  /** The checkpoint's name of a parameter. */
  nameInCheckpoint: (name: string) => string | undefined;
}>;

/** What accelerators take of a model; undefined: nothing. */
export type AcceleratedWeights = Readonly<
  { frozen: FrozenWeights | undefined; products: TrainedProducts | undefined }
>;

/**
 * Asks the accelerators, in order, how each weight is stored that may be, or multiplied.
 *
 * @throws AttuneError if modules that an accelerator names are not there, or nothing is left for one that only stores.
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

/** How weights that do not train are stored, by name. */
function chooseFormats(options: FrozenOptions, used: Set<Accelerator>): ReadonlyMap<string, Given> {
  const { accelerators, checkpoint: { weights: { formatOf } }, nameInCheckpoint } = options;
  const weights = new Map<string, Given>();
  for (const weight of linearWeights(options, false)) {
    const source = nameInCheckpoint(weight.name);
    const format = source === undefined ? undefined : formatOf?.(source);
    // What a checkpoint has as codes stays as it is.
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

/** How products over weights that train are computed, by name. */
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

/** A weight with what stores it: an accelerator, or a checkpoint that has it as codes, under the name `source`. */
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
      // What stores one weight may know its sizes: it is asked again for another.
      const codes = accelerator?.store?.(sample);
      if (codes?.format.label !== format.label) return undefined;
      return { weight: sample, format, tensors: codes.encode(sampleValues(), sample) };
    },
  };
}

/** Linear layers of the model that may be otherwise: not what heads have, is shared, or stays float32. */
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

/** Whether an entry is a module's whole name, a dotted part of it, or its end. */
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
