/** The codes of bitsandbytes, held against its own: test/fixtures/four_bit.py has what made them. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { dynamicMap, fourBitTables } from "../../../formats/quantization/bitsandbytes.ts";
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
});
