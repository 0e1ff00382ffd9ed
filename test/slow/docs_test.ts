import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { thisRuntime } from "../../runtimes/host/host.ts";
import { familiesText } from "../interchange/families.ts";

describe("docs/adapters_by_family.md", () => {
  // Rounding differs from processor to processor: which adapter does what on which family does not.
  const rounded = (text: string): string => text.replaceAll(/merges (0|\d+e-(\d+))/g, "merges");

  it("is what runs make of it", { skip: thisRuntime() !== "node" && "is written from runs on Node" }, async () => {
    const file = new URL("../../docs/adapters_by_family.md", import.meta.url);
    assert.equal(rounded(readFileSync(file, "utf8")), rounded(await familiesText()));
  });
});
