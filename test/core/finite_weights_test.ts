import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkFinite, DIGEST_IN_METADATA, writeDigested } from "../../core/files/finite_weights.ts";
import { openSafetensors, readSafetensors, writeSafetensors } from "../../core/files/safetensors.ts";
import type { Tensor } from "../../core/types.ts";
import { hostHere } from "../../runtimes/host/train.ts";
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
  const wide = (value: number): Tensor => ({ dtype: "float64", dims: [2], data: Float64Array.of(value, 1) });
  await looked({ a: wide(3.4028234663852886e38) });
  for (const value of [NaN, -Infinity, 1e39]) await assert.rejects(looked({ a: wide(value) }), /tensor "a"/);
  await assert.rejects(looked({}), /has no tensors/);
});

describe("a file that says what its tensors are", () => {
  // More than one piece of those that are digested, and an end within one.
  const codes: Tensor = { dtype: "int8", dims: [2 ** 22 + 3], data: new Int8Array(2 ** 22 + 3).fill(7) };
  const scale: Tensor = { dtype: "float32", dims: [1], data: Float32Array.of(0.5) };
  const written = writeDigested({ codes, "codes.scale": scale }, { format: "pt" });

  it("has the bytes that it would have without, aligned as they were", async () => {
    const [own, plain] = [await written, writeSafetensors({ codes, "codes.scale": scale })];
    const bytes = 2 ** 22 + 3 + 4;
    assert.deepEqual(own.subarray(-bytes), plain.subarray(-bytes));
    assert.equal((own.length - bytes) % 8, 0);
    assert.deepEqual(readSafetensors(own, "x"), readSafetensors(plain, "x"));
    await checkFinite(heldStore({ x: own }), "x");
  });
  it("is refused where a bit of any of them is another, whatever their type", async () => {
    const own = await written;
    const start = own.length - (2 ** 22 + 3 + 4);
    for (const at of [start, start + 2 ** 22 - 1, start + 2 ** 22, own.length - 4]) {
      const flipped = own.slice();
      flipped[at] = (flipped[at] ?? 0) ^ 1;
      await assert.rejects(checkFinite(heldStore({ x: flipped }), "x"), /x: is damaged.*attune_sha256/);
    }
    // Nothing is claimed of a file that says nothing.
    const plain = writeSafetensors({ codes });
    plain[plain.length - 1] = 0x7f;
    await checkFinite(heldStore({ x: plain }), "x");
  });
  it("is attune:base", async () => {
    const { base } = await hostHere(1);
    assert.ok(base);
    assert.match(
      (await openSafetensors(base, "model.safetensors")).metadata.get(DIGEST_IN_METADATA) ?? "",
      /^[0-9a-f]{64}$/,
    );
    await checkFinite(base, "model.safetensors");
  });
});
