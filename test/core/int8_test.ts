/** Weights as 8-bit integers. */
import fc from "fast-check";
import assert from "node:assert/strict";
import { it } from "node:test";
import { dequantizeInt8, quantizeInt8, scaleName } from "../../core/files/int8.ts";
import { openWeights, writeSafetensors } from "../../core/files/safetensors.ts";
import { f32 } from "../../core/base/tensor.ts";
import { memory } from "../../plugins/stores/memory.ts";
import { hostHere } from "../../runtimes/host/train.ts";

const values = fc.float({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 });

it("are at most half a scale off, and zero stays zero", () => {
  fc.assert(fc.property(fc.array(fc.array(values, { minLength: 3, maxLength: 3 }), { minLength: 1 }), (rows) => {
    const tensor = f32([rows.length, 3], rows.flat());
    const { values, scale } = quantizeInt8(tensor);
    const back = dequantizeInt8(values, scale);
    tensor.data.forEach((x, i) => {
      const unit = scale.data[Math.floor(i / 3)] ?? 0;
      // Below the smallest normal number, scales themselves are rounded.
      assert.ok(Math.abs(x - (back.data[i] ?? NaN)) <= 0.501 * unit + 1e-38, `${x} became ${back.data[i]}`);
      if (x === 0) assert.equal(back.data[i], 0);
    });
    // Stored again, they are what they were.
    assert.deepEqual(quantizeInt8(back).values.data, values.data);
  }));
});

it("are read as float32, under their own names", async () => {
  const { values, scale } = quantizeInt8(f32([2, 2], [1, -0.5, 0, 4]));
  const store = await memory().open(await hostHere(1));
  const plain = f32([1], [7]);
  await store.put("model.safetensors", writeSafetensors({ x: values, [scaleName("x")]: scale, y: plain }));
  const weights = await openWeights(store);
  assert.deepEqual(weights.names, ["x", "y"]);
  assert.deepEqual(await weights.read("x"), dequantizeInt8(values, scale));
  assert.deepEqual((await weights.read("y")).data, plain.data);
});

it("with scales of another number of rows are refused", () => {
  const { values } = quantizeInt8(f32([2, 2], [1, 2, 3, 4]));
  assert.throws(() => dequantizeInt8(values, f32([3], [1, 1, 1]), "w"), /w\.scale.*\[3\].*\[2\]/);
});
