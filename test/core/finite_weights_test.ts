import assert from "node:assert/strict";
import { it } from "node:test";
import { checkFinite } from "../../core/finite_weights.ts";
import { writeSafetensors } from "../../core/safetensors.ts";
import type { Tensor } from "../../core/types.ts";
import { heldStore } from "../tiny.ts";

const looked = async (tensors: Record<string, Tensor>): Promise<void> =>
  await checkFinite(heldStore({ "x.safetensors": writeSafetensors(tensors) }), "x.safetensors");

it("weights that are not finite, or not there, are named", async () => {
  const sound: Tensor = { dtype: "float32", dims: [3], data: Float32Array.of(1, -3.4e38, 0) };
  await looked({ sound, whole: { dtype: "int32", dims: [1], data: Int32Array.of(0x7f800000) } });
  for (const value of [NaN, Infinity, -Infinity]) {
    const wrong: Tensor = { dtype: "float32", dims: [3], data: Float32Array.of(0, 1, value) };
    await assert.rejects(looked({ sound, wrong }), /x\.safetensors: has a value in tensor "wrong" that is not finite/);
  }
  for (const [dtype, infinite] of [["float16", 0x7c00], ["bfloat16", 0x7f80]] as const) {
    await looked({ a: { dtype, dims: [2], data: Uint16Array.of(infinite - 1, 0x8000) } });
    await assert.rejects(looked({ a: { dtype, dims: [2], data: Uint16Array.of(1, infinite) } }), /tensor "a"/);
  }
  await assert.rejects(looked({}), /has no tensors/);
});
