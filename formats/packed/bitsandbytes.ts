/**
 * Weights packed by bitsandbytes: nf4 and fp4 with any block size, with or without a second level, and int8 by output.
 */
import { badFile, show, unsupported } from "../../core/base/errors.ts";
import { strictJson } from "../../core/base/json.ts";
import { sizeOf } from "../../core/base/tensor.ts";
import type { Named, Tensor } from "../../core/types.ts";
import { dequantizeFourBit, dynamicMap, fourBitTables, NESTED_BLOCK } from "../quantization/bitsandbytes.ts";
import { codeBlocks } from "../quantization/code_blocks.ts";
import { scaledRows } from "../quantization/scaled_rows.ts";
import type { PackedWeight, PackingMethod } from "./packed_weight.ts";
import { type FourBitLayout, repackEightBit, repackFourBit } from "./repack_bitsandbytes.ts";
import { checkForm, readFloats, type StoredTensors } from "./stored_tensors.ts";

const STATE = /^(.+\.weight)\.quant_state\.bitsandbytes__(\w+)$/;
const SCB = /^(.+)\.SCB$/;

/** Largest description of a weight that is read, in bytes. */
const MAX_STATE = 2 ** 16;

/** The description of a 4-bit weight. */
type FourBitState = Readonly<{
  blockSize: number;
  shape: readonly [number, number];
  nested?: Readonly<{ blockSize: number; offset: number }>;
  /** All fields of the description. */
  fields: Named<unknown>;
}>;

/** bitsandbytes. Each weight has a description of its own, so config.json is not needed. */
export const bitsandbytes: PackingMethod = {
  name: "bitsandbytes",
  suffixes: [STATE, SCB, /\.weight\.(absmax|quant_map|nested_absmax|nested_quant_map)$/, /\.weight_format$/],
  open: async (tensors) => {
    const weights: PackedWeight[] = [];
    for (const name of tensors.names) {
      const [, weight = "", type = ""] = STATE.exec(name) ?? [];
      const [, module] = SCB.exec(name) ?? [];
      if (weight !== "") weights.push(await fourBit(tensors, weight, name, type));
      if (module !== undefined) weights.push(await eightBit(tensors, module));
    }
    return weights;
  },
};

async function fourBit(tensors: StoredTensors, name: string, stateName: string, type: string): Promise<PackedWeight> {
  const { label } = tensors;
  if (type !== "nf4" && type !== "fp4") {
    throw unsupported("pretrained", `${label}: ${name}`, type, "only nf4 and fp4 are");
  }
  const { blockSize, shape, nested, fields } = await stateOf(tensors, stateName);
  const size = sizeOf(shape);
  const blocks = Math.ceil(size / blockSize);
  const form = tensors.form(name);
  const bytes = Math.ceil(size / 2);
  // The bytes may be stored as another dtype, whose last value may be padded.
  const stored = tensors.names.includes(name) && form ? (await tensors.bytes(name)).length : 0;
  if (stored < bytes || stored >= bytes + 4) {
    throw badFile("pretrained", label, `has ${stored} bytes in tensor ${show(name)}; ${show(shape)} takes ${bytes}`);
  }
  checkForm(tensors, `${name}.absmax`, nested ? "uint8" : "float32", [blocks]);
  checkForm(tensors, `${name}.quant_map`, "float32", [16]);
  if (nested) {
    checkForm(tensors, `${name}.nested_absmax`, "float32", [Math.ceil(blocks / nested.blockSize)]);
    checkForm(tensors, `${name}.nested_quant_map`, "float32", [256]);
  }
  const table = await readFloats(tensors, `${name}.quant_map`);
  const map = nested ? await readFloats(tensors, `${name}.nested_quant_map`) : undefined;
  const parts = ["", ".absmax", ".quant_map", ...nested ? [".nested_absmax", ".nested_quant_map"] : []];
  const isUsual = isEqual(table, fourBitTables[type]) && (!nested || isNestedAsUsual(nested, map));
  const layout: FourBitLayout = { type, blockSize, bytes: stored, state: nested && { name: stateName, fields } };
  return {
    name,
    dims: shape,
    parts: [...parts.map((part) => name + part), stateName],
    values: async () => {
      const absmax = nested && map
        ? await nestedAbsmax(tensors, name, nested, map)
        : await readFloats(tensors, `${name}.absmax`);
      return dequantizeFourBit({ codes: await tensors.bytes(name), absmax }, table, blockSize, size);
    },
    stored: isUsual
      ? {
        format: codeBlocks({ type, blockSize, useDoubleQuant: nested !== undefined }),
        tensors: async () => ({
          codes: bytesOf((await tensors.bytes(name)).subarray(0, bytes)),
          ...await absmaxTensors(tensors, name, nested?.offset),
        }),
      }
      : undefined,
    repack: isUsual ? repackFourBit(name, layout) : undefined,
  };
}

/** Whether a second level has the library's usual block size and table, which sessions decode. */
function isNestedAsUsual({ blockSize }: Readonly<{ blockSize: number }>, map: Float32Array | undefined): boolean {
  return blockSize === NESTED_BLOCK && map !== undefined && isEqual(map, dynamicMap);
}

function isEqual(a: Float32Array, b: Float32Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

/** Returns the tensors of the block maxima as sessions keep them. `offset`: the second level's, if there is one. */
async function absmaxTensors(tensors: StoredTensors, name: string, offset: number | undefined): Promise<Named<Tensor>> {
  if (offset === undefined) return { absmax: floatsOf(await readFloats(tensors, `${name}.absmax`)) };
  return {
    absmaxCodes: bytesOf(await tensors.bytes(`${name}.absmax`)),
    nestedAbsmax: floatsOf(await readFloats(tensors, `${name}.nested_absmax`)),
    offset: floatsOf(Float32Array.of(offset)),
  };
}

function bytesOf(data: Uint8Array): Tensor {
  return { dtype: "uint8", dims: [data.length], data };
}

function floatsOf(data: Float32Array): Tensor {
  return { dtype: "float32", dims: [data.length], data };
}

/** Decodes block maxima that are quantized themselves, with the file's table. */
async function nestedAbsmax(
  tensors: StoredTensors,
  name: string,
  { blockSize, offset }: Readonly<{ blockSize: number; offset: number }>,
  table: Float32Array,
): Promise<Float32Array> {
  const most = await readFloats(tensors, `${name}.nested_absmax`);
  return Float32Array.from(
    await tensors.bytes(`${name}.absmax`),
    (code, b) => Math.fround((table[code] as number) * (most[Math.floor(b / blockSize)] as number)) + offset,
  );
}

async function stateOf(tensors: StoredTensors, name: string): Promise<FourBitState> {
  const { label } = tensors;
  const wrong = (problem: string): Error => badFile("pretrained", label, `says in tensor ${show(name)} ${problem}`);
  const [length = 0] = checkForm(tensors, name, "uint8", [null]);
  if (length > MAX_STATE) throw wrong(`${length} bytes, where at most ${MAX_STATE} describe a weight`);
  let state: Named<unknown>;
  try {
    state = strictJson(await tensors.bytes(name)) as Named<unknown>;
  } catch (cause) {
    throw wrong(`what is not JSON (${cause instanceof Error ? cause.message : cause})`);
  }
  if (typeof state !== "object" || state === null) throw wrong(`${show(state)}, which does not describe a weight`);
  const wholeIn = (field: string, least: number, most: number): number => {
    const value = state[field];
    if (Number.isInteger(value) && Number(value) >= least && Number(value) <= most) return Number(value);
    throw wrong(`${field} ${show(value)}, where a whole number from ${least} to ${most} was expected`);
  };
  const blockSize = wholeIn("blocksize", 1, 2 ** 20);
  const { shape } = state;
  const isDim = (dim: unknown): dim is number => Number.isInteger(dim) && Number(dim) >= 1 && Number(dim) <= 2 ** 31;
  if (!Array.isArray(shape) || shape.length !== 2 || !shape.every(isDim)) {
    throw wrong(`shape ${show(shape)}, where [out, in] was expected`);
  }
  const [outputs = 1, inputs = 1] = shape;
  const plain = { blockSize, shape: [outputs, inputs] as const, fields: state };
  if (state.nested_offset === undefined && state.nested_blocksize === undefined) return plain;
  const offset = state.nested_offset;
  if (typeof offset !== "number" || !Number.isFinite(offset)) {
    throw wrong(`nested_offset ${show(offset)}, not a number`);
  }
  return { ...plain, nested: { blockSize: wholeIn("nested_blocksize", 1, 2 ** 20), offset: Math.fround(offset) } };
}

async function eightBit(tensors: StoredTensors, module: string): Promise<PackedWeight> {
  const name = `${module}.weight`;
  const [outputs = 0, inputs = 0] = checkForm(tensors, name, "int8", [null, null]);
  const scale = `${module}.SCB`;
  checkForm(tensors, scale, "float32", [outputs]);
  const format = `${module}.weight_format`;
  const hasFormat = tensors.form(format) !== undefined;
  const layout = hasFormat ? (await tensors.read(format)).data[0] : 0;
  if (Number(layout) !== 0) {
    throw unsupported("pretrained", `${tensors.label}: ${format}`, layout, "only rows (0) are");
  }
  return {
    name,
    dims: [outputs, inputs],
    parts: [name, scale, ...hasFormat ? [format] : []],
    values: async () => {
      const scales = await readFloats(tensors, scale);
      const codes = await tensors.read(name);
      return scaledRows.decode({ codes, scales: floatsOf(scales) }, [outputs, inputs]);
    },
    stored: {
      format: scaledRows,
      tensors: async () => ({ codes: await tensors.read(name), scales: floatsOf(await readFloats(tensors, scale)) }),
    },
    repack: repackEightBit(module, [outputs, inputs]),
  };
}
