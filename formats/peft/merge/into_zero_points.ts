/**
 * Merging of a QA-LoRA adapter into the zero points of its quantized base: no code changes, and no precision is lost.
 *
 * A reads one number per group of inputs, so that all weights in a group of an output get the same update D:
 * s (q - z) + D = s (q - (z - D / s)).
 */
import { badValue, missing, refused, show, unsupported } from "../../../core/base/errors.ts";
import type { TensorForm } from "../../../core/files/safetensors.ts";
import type { Checkpoint, MatrixDims, Named, Tensor, Weights } from "../../../core/types.ts";
import { type GroupedWeight, hqqConfig, hqqForms, type HqqLayout, hqqTensors } from "../../packed/hqq_layout.ts";
import { alphaOf, loraScale } from "../lora_scale.ts";
import { partsOf } from "./adapter_parts.ts";
import { namesIn } from "./base_names.ts";
import type { OpenedAdapter } from "./config.ts";
import type { MergedModel } from "./into_base.ts";
import { bytesOf, formOf } from "./stored_rows.ts";

/** The factors of a module's update; A is as wide as the inputs. */
type Factors = Readonly<{ path: string; keyA: string; keyB: string }>;

/**
 * Merges an adapter into a base, and returns it in HQQ's layout, whose zero points are floats.
 *
 * @throws AttuneError if the base's codes lack zero points, or the adapter's groups are not made of whole groups of
 * the base.
 */
export function mergeIntoZeroPoints(base: Checkpoint, adapter: OpenedAdapter): MergedModel {
  const { weights } = base;
  const pool = adapter.pooledBy;
  if (adapter.config.peft_type !== "LORA" || pool === undefined) {
    throw badValue(
      "merge",
      `${adapter.label}: use_qalora`,
      false,
      "true, because only QA-LoRA fits into zero points (--exact)",
    );
  }
  const { modules, tensors } = partsOf(adapter);
  const names = namesIn(
    weights,
    [...modules.keys()].map((path) => `${path}.weight`),
    [...tensors.keys()],
    adapter.label,
  );
  const updates = new Map<string, Factors>();
  for (const [path, keys] of modules) {
    const [keyA, keyB] = [keys.get(".lora_A.weight"), keys.get(".lora_B.weight")];
    if (keys.size !== 2 || keyA === undefined || keyB === undefined) {
      throw unsupported("merge", `${adapter.label}: ${path}`, [...keys.keys()], "only A and B fit into zero points");
    }
    updates.set(names.inBase(`${path}.weight`), { path, keyA, keyB });
  }
  const forms: Record<string, TensorForm> = Object.create(null);
  const pieces = new Map<string, () => AsyncIterable<Uint8Array>>();
  const layouts = packedLayouts(base, updates, pool, adapter.label);
  for (const stored of weights.names) {
    const layout = layouts.get(stored);
    if (layout) {
      addPacked(forms, pieces, names.out(stored), { base, stored, layout, adapter, update: updates.get(stored) });
    } else {
      const [form, out] = [formOf(weights, stored), names.out(stored)];
      forms[out] = form;
      pieces.set(out, () => bytesOf(weights, stored, form));
    }
  }
  for (const [name, key] of tensors) addReplaced(forms, pieces, names.out(names.inBase(name)), key, adapter);
  const [first] = layouts.values();
  const skipped = Object.keys(forms).flatMap((name) =>
    name.endsWith(".weight") && forms[name]?.dims.length === 2 ? [name.slice(0, -".weight".length)] : []
  );
  return {
    forms,
    head: adapter.head,
    untiedConfig: first && hqqConfig(first, skipped),
    pieces: async function* (name) {
      const piece = pieces.get(name);
      if (!piece) throw missing("merge", `tensor ${show(name)}`, "the merged model");
      yield* piece();
    },
  };
}

/**
 * Returns the layout of each packed weight; all of them need zero points. HQQ's groups run across the ends of rows: if
 * a row's last block is shorter, the group size is the largest for which every group lies within one block.
 */
function packedLayouts(
  { weights, quantization, label }: Checkpoint,
  updates: ReadonlyMap<string, Factors>,
  pool: number,
  adapter: string,
): ReadonlyMap<string, HqqLayout> {
  const layouts = new Map<string, HqqLayout>();
  for (const name of quantization?.weights ?? []) {
    const format = weights.formatOf?.(name);
    const blocks = format?.blocks?.hasOrder === false ? format.blocks : undefined;
    const inputs = weights.locate(name)?.dims[1] ?? 0;
    if (!blocks) {
      const found = format?.label ?? "codes whose groups are no blocks of inputs";
      throw unsupported("merge", `${label}: ${name}`, found, "--exact needs a zero point for each block of inputs");
    }
    layouts.set(name, { bits: blocks.bits, groupSize: commonDivisor(blocks.size, inputs) });
  }
  for (const [name, { path }] of updates) {
    const layout = layouts.get(name);
    if (!layout) {
      throw refused(
        "merge",
        `${label} has ${show(name)} in floats, which ${adapter} adapts: --exact needs codes with zero points`,
      );
    }
    if (pool % layout.groupSize !== 0) {
      throw badValue(
        "merge",
        `${adapter}: qalora_group_size`,
        pool,
        `a multiple of the ${layout.groupSize} inputs that share a zero point (${path})`,
      );
    }
  }
  return layouts;
}

/** A packed weight to be written, and the update to merge into its zero points. */
type PackedSource = Readonly<{
  base: Checkpoint;
  stored: string;
  layout: HqqLayout;
  adapter: OpenedAdapter;
  update: Factors | undefined;
}>;

function addPacked(
  forms: Record<string, TensorForm>,
  pieces: Map<string, () => AsyncIterable<Uint8Array>>,
  name: string,
  { base: { weights }, stored, layout, adapter, update }: PackedSource,
): void {
  const module = name.slice(0, -".weight".length);
  const [outputs = 0, inputs = 0] = weights.locate(stored)?.dims ?? [];
  const dims = [outputs, inputs] as const;
  if (update) checkFactors(adapter, update, dims);
  let known: Promise<Named<Tensor>> | undefined;
  const tensors = (): Promise<Named<Tensor>> => known ??= packedTensors(weights, stored, layout, dims, adapter, update);
  const parts = Object.entries(hqqForms(layout, dims));
  parts.forEach(([part, form], i) => {
    forms[`${module}.${part}`] = form;
    pieces.set(`${module}.${part}`, async function* () {
      const data = (await tensors())[part]?.data;
      // The parts are read one after another, so the tensors can be freed after the last one.
      if (i === parts.length - 1) known = undefined;
      if (data) yield new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    });
  });
}

function checkFactors(adapter: OpenedAdapter, { path, keyA, keyB }: Factors, [outputs, inputs]: MatrixDims): void {
  const [a, b] = [adapter.form(keyA).dims, adapter.form(keyB).dims];
  if (a.length === 2 && b.length === 2 && a[1] === inputs && b[0] === outputs && a[0] === b[1]) return;
  throw badValue(
    "merge",
    `${adapter.label}: ${path}`,
    [a, b],
    `factors A and B of a weight ${show([outputs, inputs])}`,
  );
}

async function packedTensors(
  weights: Weights,
  stored: string,
  layout: HqqLayout,
  dims: MatrixDims,
  adapter: OpenedAdapter,
  update: Factors | undefined,
): Promise<Named<Tensor>> {
  const encoded = await weights.encoded?.(stored);
  const read = encoded?.format.blocks?.read(encoded.tensors, dims);
  if (!read) throw missing("merge", `codes of ${show(stored)}`, "the base");
  const { codes, scales, zeros } = regrouped(read, encoded?.format.blocks?.size ?? 0, layout.groupSize, dims);
  if (!update) return hqqTensors(layout, dims, { codes, scales, zeros });
  const [outputs, inputs] = dims;
  const { groupSize } = layout;
  const [a, b] = [await adapter.read(update.keyA), await adapter.read(update.keyB)];
  const r = a.dims[0] ?? 0;
  const { config } = adapter;
  const scale = loraScale(alphaOf(config, update.path), r, config.use_rslora === true);
  const groups = inputs / groupSize;
  for (let o = 0; o < outputs; o++) {
    for (let g = 0; g < groups; g++) {
      let change = 0;
      for (let k = 0; k < r; k++) {
        change += (b.data[o * r + k] as number) * (a.data[k * inputs + g * groupSize] as number);
      }
      change *= scale;
      const at = o * groups + g;
      const step = scales[at] as number;
      if (step !== 0) zeros[at] = (zeros[at] as number) - change / step;
      else {
        // A group of zeros has no step, so D becomes its scale: (0 - -1) D.
        codes.fill(0, at * groupSize, (at + 1) * groupSize);
        [scales[at], zeros[at]] = [change, -1];
      }
    }
  }
  return hqqTensors(layout, dims, { codes, scales, zeros });
}

/** Spreads the scales and zero points of blocks to the smaller groups that they contain. */
function regrouped(weight: GroupedWeight, block: number, group: number, [outputs, inputs]: MatrixDims): GroupedWeight {
  if (block === group) return weight;
  const [blocks, groups] = [Math.ceil(inputs / block), inputs / group];
  const ofGroups = (values: Float32Array): Float32Array =>
    Float32Array.from({ length: outputs * groups }, (_, at) => {
      const place = (at % groups) * group;
      return values[Math.floor(at / groups) * blocks + Math.floor(place / block)] as number;
    });
  return { codes: weight.codes, scales: ofGroups(weight.scales), zeros: ofGroups(weight.zeros) };
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}

function addReplaced(
  forms: Record<string, TensorForm>,
  pieces: Map<string, () => AsyncIterable<Uint8Array>>,
  name: string,
  key: string,
  adapter: OpenedAdapter,
): void {
  const { dims } = adapter.form(key);
  const before = forms[name];
  if (before && before.dims.join() !== dims.join()) {
    throw badValue("merge", `${adapter.label}: ${name}`, dims, `the base's shape, ${show(before.dims)}`);
  }
  forms[name] = { dtype: "float32", dims };
  pieces.set(name, async function* () {
    const { data } = await adapter.read(key);
    yield new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  });
}
