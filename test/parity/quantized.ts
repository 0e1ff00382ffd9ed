/** Tensors in bitsandbytes' codes, held against the library's own bytes. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { blockTypes, dequantize } from "../../core/gguf/blocks.ts";
import {
  dequantizeAbsmax,
  dequantizeFourBit,
  fourBitTables,
  type FourBitType,
  quantizeAbsmax,
  quantizeFourBit,
} from "../../formats/quantization/bitsandbytes.ts";
import { openModel } from "../../plugins/models/pretrained/open_model.ts";
import { heldStore } from "../tiny.ts";
import type { Item } from "./main.ts";

/** What the library makes of a tensor. */
export type FourBitTensor = Readonly<{
  tensor: string;
  quantType: FourBitType;
  blockSize: number;
  useDoubleQuant: boolean;
  packed: string;
  absmax: readonly number[];
  absmaxCodes?: string;
  nestedAbsmax?: readonly number[];
  offset?: number;
  dequantized: Readonly<{ sha256: string }>;
}>;

type Tensors = Readonly<{
  tensors: Readonly<Record<string, Readonly<{ values: readonly number[] }>>>;
  fourBit: readonly FourBitTensor[];
}>;

/** What of a tensor's codes is not as the library has it, byte for byte. */
export function wrongParts(values: readonly number[], expected: FourBitTensor): readonly string[] {
  const { quantType, blockSize, useDoubleQuant } = expected;
  const weight = Float32Array.from(values);
  const { codes, absmax } = quantizeFourBit(weight, quantType, blockSize);
  const nested = useDoubleQuant ? quantizeAbsmax(absmax) : undefined;
  const decoded = nested ? dequantizeAbsmax(nested) : absmax;
  const whole = dequantizeFourBit({ codes, absmax: decoded }, fourBitTables[quantType], blockSize, weight.length);
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
  const same = (x: Float32Array, y: readonly number[] = []): boolean =>
    x.length === y.length && x.every((value, i) => value === Math.fround(y[i] ?? NaN));
  const parts: Readonly<Record<string, boolean>> = {
    packed: base64(codes) === expected.packed,
    absmax: same(decoded, expected.absmax),
    absmaxCodes: !nested || base64(nested.codes) === expected.absmaxCodes,
    nestedAbsmax: !nested || same(nested.nestedAbsmax, expected.nestedAbsmax),
    offset: !nested || nested.offset === Math.fround(expected.offset ?? NaN),
    dequantized: digest(whole) === expected.dequantized.sha256,
  };
  return Object.entries(parts).flatMap(([part, right]) => (right ? [] : [part]));
}

/** Items of a folder: its tensors.json, gguf.json and checkpoints. */
export async function* checkQuantized(folder: string): AsyncIterable<Item> {
  yield* tensorItems(folder);
  yield* ggufItems(folder);
  const checkpoints = join(folder, "checkpoints");
  for (const name of existsSync(checkpoints) ? readdirSync(checkpoints).sort() : []) {
    const path = join(checkpoints, name);
    if (!existsSync(join(path, "expected.json"))) continue;
    const wrong = await wrongLayers(path).catch((error) => [String(error)]);
    yield itemOf(`quantized/checkpoints/${name}`, wrong);
  }
}

/** The layers of a checkpoint whose values are not what the library makes of them, to the bit. */
export async function wrongLayers(path: string): Promise<string[]> {
  const read = (file: string): Uint8Array => new Uint8Array(readFileSync(join(path, file)));
  const files = { "config.json": read("config.json"), "model.safetensors": read("model.safetensors") };
  const { weights, config } = await openModel("pretrained", heldStore(files), path);
  const { dequantized } = JSON.parse(new TextDecoder().decode(read("expected.json")));
  const wrong = config.quantization_config === undefined ? [] : ["quantization_config is left in the config"];
  for (const [module, { sha256 }] of Object.entries<{ sha256: string }>(dequantized)) {
    if (digest((await weights.read(`${module}.weight`)).data) !== sha256) wrong.push(module);
  }
  return Object.keys(dequantized).length === 0 ? ["no layers"] : wrong;
}

function* ggufItems(folder: string): Iterable<Item> {
  const file = join(folder, "gguf.json");
  if (!existsSync(file)) return;
  for (const { type, id, values, bytes, dequantized } of JSON.parse(readFileSync(file, "utf8")).types) {
    const known = blockTypes.get(id);
    const out = new Float32Array(values.length);
    if (known) dequantize(known, new Uint8Array(Buffer.from(bytes, "base64")), out, 0);
    yield itemOf(
      `quantized/gguf ${type}`,
      digest(out) === dequantized.sha256 ? [] : [known ? "values" : "no such type"],
    );
  }
}

function itemOf(name: string, wrong: readonly string[]): Item {
  return { name, status: wrong.length === 0 ? "ok" : "differs", detail: wrong[0] ?? "every bit" };
}

function digest({ buffer, byteOffset, byteLength }: Float32Array): string {
  return createHash("sha256").update(new Uint8Array(buffer, byteOffset, byteLength)).digest("hex");
}

function* tensorItems(folder: string): Iterable<Item> {
  const file = join(folder, "tensors.json");
  if (!existsSync(file)) return;
  const { tensors, fourBit }: Tensors = JSON.parse(readFileSync(file, "utf8"));
  for (const one of fourBit) {
    const double = one.useDoubleQuant ? " double" : "";
    const wrong = wrongParts(tensors[one.tensor]?.values ?? [], one);
    yield itemOf(`quantized/${one.tensor} ${one.quantType} ${one.blockSize}${double}`, wrong);
  }
}
