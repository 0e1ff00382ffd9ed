/** Linear codes: every value within half a step of its code's, in the layout that ONNX Runtime documents. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createRandom } from "../../../core/math/random.ts";
import { type LinearBlocks, linearBlocks } from "../../../formats/quantization/linear_blocks.ts";
import { encodeLinear } from "../../../formats/quantization/linear_quantizer.ts";
import { encodeInt8, outputInt8 } from "../../../formats/quantization/output_int8.ts";

const random = createRandom(3);
const dims = [6, 40] as const;
const values = Float32Array.from({ length: 240 }, (_, i) => random.normal(i));
const base: LinearBlocks = { bits: 4, blockSize: 16, hasZeros: false, wholeZeros: true };

describe("int4", () => {
  it("has the nibbles, scales and zero points that its layout says", () => {
    // One output of 4 inputs in a block of 16: the least is -8 steps of 0.5.
    const one = encodeLinear(Float32Array.of(-4, 1, 0.5, 3.5), [1, 4], base);
    assert.deepEqual([...one.codes?.data as Uint8Array], [0xa0, 0xf9, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88]);
    assert.deepEqual([one.codes?.dims, [...one.scales?.data as Float32Array]], [[1, 1, 8], [0.5]]);
    // From 0 to 15 steps of 2, with the zero at 5.
    const two = encodeLinear(Float32Array.of(-10, 20, 0, 4), [1, 4], { ...base, hasZeros: true });
    assert.deepEqual([...two.codes?.data as Uint8Array].slice(0, 2), [0xf0, 0x75]);
    assert.deepEqual([[...two.scales?.data as Float32Array], [...two.zeros?.data as Uint8Array]], [[2], [5]]);
  });
  for (
    const change of [{}, { hasZeros: true }, { useDoubleQuant: true }, { hasZeros: true, useDoubleQuant: true }]
  ) {
    it(`is within a step: ${JSON.stringify(change)}`, () => {
      const options = { ...base, ...change };
      const decoded = linearBlocks(options).decode(encodeLinear(values, dims, options), dims);
      values.forEach((x, k) => {
        const start = Math.floor(k / 40) * 40 + Math.floor(k % 40 / 16) * 16;
        const block = values.subarray(start, Math.min(start + 16, (Math.floor(k / 40) + 1) * 40));
        const [least, most] = [Math.min(0, ...block), Math.max(0, ...block)];
        const step = !options.hasZeros ? Math.max(-least, most) / 7.5 : (most - least) / 15;
        // The largest positive value may lack a code of its own; a zero point is a whole number.
        const bound = options.useDoubleQuant ? 1.3 : 1.0001;
        assert.ok(Math.abs(x - (decoded[k] ?? NaN)) <= bound * step, `${k}: ${x} and ${decoded[k]}`);
      });
    });
  }
  it("keeps zeros", () => {
    const zeros = new Float32Array(240);
    for (const hasZeros of [true, false]) {
      const options = { ...base, hasZeros };
      assert.deepEqual(linearBlocks(options).decode(encodeLinear(zeros, dims, options), dims), zeros);
    }
  });
});

describe("int8", () => {
  it("is within half a step of each output's largest value", () => {
    const options = { forward: "int8", backward: "int8", activationScale: "row" } as const;
    const decoded = outputInt8(options).decode(encodeInt8(values, dims, options), dims);
    values.forEach((x, k) => {
      const row = values.subarray(Math.floor(k / 40) * 40, (Math.floor(k / 40) + 1) * 40);
      const step = Math.max(...row.map(Math.abs)) / 127;
      assert.ok(Math.abs(x - (decoded[k] ?? NaN)) <= 0.5001 * step, `${k}`);
    });
  });
});
