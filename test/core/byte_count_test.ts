/** Amounts of memory as people write them. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { byteCount } from "../../core/base/byte_count.ts";

it("bytes are numbers or have a unit", () => {
  const amounts: readonly (readonly [unknown, number | undefined])[] = [
    [2e9, 2e9],
    ["2000", 2000],
    ["2GB", 2e9],
    ["2GiB", 2 ** 31],
    ["512MiB", 2 ** 29],
    ["1.5 GB", 1.5e9],
    ["4kB", 4000],
    ["4KB", 4000],
    ["4KiB", 4096],
    ["7B", 7],
    ["2", 2],
    ["GB", undefined],
    ["2 gigabytes", undefined],
    ["-2GB", undefined],
    ["2gb", undefined],
    [0, undefined],
    [-1, undefined],
    [NaN, undefined],
    [true, undefined],
    [null, undefined],
    [["2GB"], undefined],
  ];
  for (const [written, bytes] of amounts) assert.equal(byteCount(written), bytes, String(written));
});
