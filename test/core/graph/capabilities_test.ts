/** The capability table is what the runtime has. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { capabilities } from "../../../core/graph/capabilities.ts";
import { probe, probedDtypes } from "../../probe.ts";

describe("capabilities", () => {
  it("of the CPU are what onnxruntime-node runs", async () => assert.deepEqual(capabilities.cpu, await probe()));
  it("name only dtypes that are probed", () => {
    for (const table of Object.values(capabilities)) {
      for (const [op, dtypes] of Object.entries(table)) {
        assert.deepEqual(dtypes.filter((dtype) => !probedDtypes.includes(dtype)), [], op);
      }
    }
  });
  it("of other providers are no more than the CPU's, which takes over what they lack", () => {
    for (const table of Object.values(capabilities)) {
      for (const [op, dtypes] of Object.entries(table)) {
        const all: readonly string[] = capabilities.cpu[op as keyof typeof capabilities.cpu];
        assert.deepEqual(dtypes.filter((dtype) => !all.includes(dtype)), [], op);
      }
    }
  });
});
