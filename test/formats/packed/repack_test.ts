import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { openWeights, viewOf, writeSafetensors } from "../../../core/files/safetensors.ts";
import type { Named } from "../../../core/types.ts";
import { packingMethods } from "../../../formats/packed/open.ts";
import { storedTensors } from "../../../formats/packed/stored_tensors.ts";
import { heldStore } from "../../tiny.ts";
import { packedFigures, packedTensors } from "./packed.ts";

const weights: Named<Readonly<{ dims: readonly [number, number]; data: string }>> = JSON.parse(
  readFileSync(fileURLToPath(new URL("../../fixtures/quantized_weights.json", import.meta.url)), "utf8"),
);

/** The first rows and columns of the weight that the libraries quantized. */
function valuesOf(module: string, [rows, columns]: readonly number[]): Float32Array {
  const { dims, data } = weights[module] as { dims: readonly [number, number]; data: string };
  const all = viewOf("float32", new Uint8Array(Buffer.from(data, "base64")));
  const width = columns ?? 0;
  return Float32Array.from(
    { length: (rows ?? 0) * width },
    (_, i) => Number(all[Math.floor(i / width) * dims[1] + i % width]),
  );
}

describe("a weight packed again has the codes of the library's quantizer", () => {
  for (const [name, figures] of Object.entries(packedFigures)) {
    if (!/^(bnb|hqq)/.test(name)) continue;
    it(name, async () => {
      const tensors = packedTensors(figures);
      const stored = storedTensors(
        await openWeights(heldStore({ "model.safetensors": writeSafetensors(tensors) })),
        "packed",
      );
      const method = packingMethods.find((m) => m.name === figures.config.quant_method);
      const weights = await method?.open(stored, figures.config) ?? [];
      assert.equal(weights.length, 3);
      for (const { name: weight, dims, repack } of weights) {
        const values = valuesOf(weight.slice(0, -".weight".length), dims);
        const packed = await repack?.pack(values) ?? {};
        assert.ok(Object.keys(packed).length >= 2);
        for (const [part, bytes] of Object.entries(packed)) {
          const { dtype, dims: partDims = [] } = tensors[part] ?? {};
          const due = await stored.bytes(part);
          if (part.includes("quant_state")) {
            const form = repack?.forms?.[part];
            assert.deepEqual(form?.dims, [bytes.length]);
            const [is, was] = [bytes, due].map((b) => JSON.parse(new TextDecoder().decode(b)));
            assert.deepEqual(is, was);
          } else if (part.endsWith(".zero")) {
            // A mean of many values: torch adds them up in another order.
            const [is, was] = [viewOf(dtype ?? "float32", bytes), viewOf(dtype ?? "float32", due)];
            assert.equal(is.length, was.length);
            is.forEach((x, i) => {
              const [value, due] = [Number(x), Number(was[i])];
              assert.ok(Math.abs(value - due) <= 1e-6 * Math.max(1, Math.abs(due)), `${part}[${i}]: ${value}, ${due}`);
            });
          } else assert.deepEqual([...bytes], [...due], `${part} ${partDims}`);
        }
      }
    });
  }

  it("layouts whose quantizers need more than the weight have none", async () => {
    const figures = packedFigures.awq;
    if (!figures) throw new Error("No fixture awq");
    const stored = storedTensors(
      await openWeights(heldStore({ "model.safetensors": writeSafetensors(packedTensors(figures)) })),
      "packed",
    );
    for (const { repack } of await packingMethods.find((m) => m.name === "awq")?.open(stored, figures.config) ?? []) {
      assert.equal(repack, undefined);
    }
  });
});
