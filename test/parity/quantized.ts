/**
 * Tensors in bitsandbytes' codes, held against the library's own bytes.
 * @module
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  dequantizeAbsmax,
  dequantizeFourBit,
  fourBitTables,
  type FourBitType,
  quantizeAbsmax,
  quantizeFourBit,
} from "../../formats/quantization/bitsandbytes.ts";
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
    dequantized:
      createHash("sha256").update(new Uint8Array(whole.buffer)).digest("hex") === expected.dequantized.sha256,
  };
  return Object.entries(parts).flatMap(([part, right]) => (right ? [] : [part]));
}

/** An item for each tensor of a folder's tensors.json. */
export async function* checkQuantizedTensors(folder: string): AsyncIterable<Item> {
  const file = join(folder, "tensors.json");
  if (!existsSync(file)) return;
  const { tensors, fourBit }: Tensors = JSON.parse(readFileSync(file, "utf8"));
  for (const one of fourBit) {
    const double = one.useDoubleQuant ? " double" : "";
    const wrong = wrongParts(tensors[one.tensor]?.values ?? [], one);
    yield await Promise.resolve({
      name: `quantized/${one.tensor} ${one.quantType} ${one.blockSize}${double}`,
      status: wrong.length === 0 ? "ok" as const : "differs" as const,
      detail: wrong.length === 0 ? "every byte" : wrong.join(", "),
    });
  }
}
