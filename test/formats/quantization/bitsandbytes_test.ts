/** The codes of bitsandbytes, held against its own: test/fixtures/four_bit.py has what made them. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { dynamicMap, fourBitTables, quantizeFourBit } from "../../../formats/quantization/bitsandbytes.ts";
import { type FourBitTensor, wrongParts } from "../../parity/quantized.ts";

const { tensors, fourBit }: {
  tensors: Readonly<Record<string, { values: readonly number[] }>>;
  fourBit: readonly FourBitTensor[];
} = JSON.parse(readFileSync(new URL("../../fixtures/four_bit.json", import.meta.url), "utf8"));

describe("codes of 4 bits", () => {
  for (const one of fourBit) {
    const { tensor, quantType, blockSize, useDoubleQuant } = one;
    it(`${tensor}, ${quantType}, block ${blockSize}${useDoubleQuant ? ", double" : ""}: every byte`, () =>
      assert.deepEqual(wrongParts(tensors[tensor]?.values ?? [], one), []));
  }
  it("differ from another type's and another block's", () => {
    const [first] = fourBit;
    assert.ok(first);
    assert.ok(wrongParts(tensors.square?.values ?? [], { ...first, quantType: "fp4" }).includes("packed"));
    assert.ok(wrongParts(tensors.square?.values ?? [], { ...first, blockSize: 32 }).includes("absmax"));
  });
  it("have sorted second-level values, and tables whose largest is 1", () => {
    assert.equal(dynamicMap.length, 256);
    dynamicMap.forEach((x, i) => assert.ok(i === 0 || x > (dynamicMap[i - 1] ?? NaN), `${i}`));
    for (const table of Object.values(fourBitTables)) assert.equal(Math.max(...table), 1);
  });
  for (const type of ["nf4", "fp4"] as const) {
    it(`${type}: are the nearest's on both sides of every border, and the lower one's on it`, () => {
      const sorted = [...fourBitTables[type].keys()].sort((a, b) => valueOf(type, a) - valueOf(type, b) || a - b);
      const borders = sorted.slice(1).map((code, i) =>
        Math.fround((valueOf(type, sorted[i] ?? 0) + valueOf(type, code)) / 2)
      );
      const next = (x: number, by: 1 | -1): number => {
        const bits = new Int32Array(Float32Array.of(x).buffer);
        // One unit in the last place, away from 0 or to it; beside 0 the smallest number there is.
        if (x === 0) return by * 2 ** -149;
        bits[0] = (bits[0] ?? 0) + (x > 0 ? by : -by);
        return new Float32Array(bits.buffer)[0] ?? NaN;
      };
      const due = (x: number): number => sorted[borders.filter((border) => border < x).length] ?? NaN;
      const values = [
        ...borders.flatMap((border) => [next(border, -1), border, next(border, 1)]),
        ...Array.from({ length: 4001 }, (_, i) => Math.fround(i / 2000 - 1)),
        ...[0, -0, 1e-30, -1e-30, 1, -1],
      ];
      for (const x of values) {
        // A block whose largest is 1 is scaled by 1.
        const { codes } = quantizeFourBit(Float32Array.from({ length: 32 }, (_, i) => (i === 0 ? 1 : x)), type, 32);
        assert.equal((codes[1] ?? NaN) & 15, due(x), `${x}`);
      }
    });
  }
});

const valueOf = (type: "nf4" | "fp4", code: number): number => fourBitTables[type][code] ?? NaN;
