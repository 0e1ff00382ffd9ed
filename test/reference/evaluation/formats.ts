/** Files as `datasets` writes them, and its slices. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { rangeOf, slicesIn } from "../../../blocks/data/mod.ts";
import { type Check, check } from "../../../conformance/check.ts";
import { AttuneError } from "../../../core/base/errors.ts";
import type { Dataset, Named, Row } from "../../../core/types.ts";
import { arrow } from "../../../plugins/data/arrow.ts";
import { json } from "../../../plugins/data/json.ts";
import { jsonl } from "../../../plugins/data/jsonl.ts";
import { parquet } from "../../../plugins/data/parquet.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { collect } from "../../../core/base/collect.ts";

type Range = readonly [split: string, from: number, to: number];

/** `slices.json`: what a text names of a split `train` with so many rows and of `eval` with 20. */
export type SliceFigures = readonly Readonly<
  { rows: number; spec: string; expected?: readonly Range[]; error?: string }
>[];

/** The ranges of a text, of splits with so many rows. */
export function rangesIn(spec: string, lengths: Named<number>): Range[] {
  return slicesIn("test", spec).map((slice) => {
    const length = lengths[slice.split];
    if (length === undefined) throw new AttuneError("no such split", { code: "UNKNOWN_NAME", plugin: "test" });
    const [from, to] = rangeOf("test", slice, length);
    return [slice.split, from, to];
  });
}

/** Every range; a part that ends before it begins is an error here. */
export function sliceChecks(slices: SliceFigures): Check[] {
  return slices.map(({ rows, spec, expected, error }) =>
    check(`${spec} of ${rows} rows`, () => {
      const ranges = (): Range[] => rangesIn(spec, { train: rows, eval: 20 });
      const backwards = expected?.some(([, from, to]) => from > to);
      if (error !== undefined || backwards) assert.throws(ranges, { name: "AttuneError" });
      else assert.deepEqual(ranges(), expected);
    })
  );
}

/** The rows of each file of a folder. */
export function formatChecks(folder: string): Check[] {
  const at = (name: string): string => join(folder, name);
  const columns: Named<readonly unknown[]> = JSON.parse(readFileSync(at("rows.json"), "utf8")).rows;
  const wanted = (columns.label ?? []).map((_, i): Row =>
    Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values[i]]))
  );
  const datasets: Named<Dataset> = {
    ...Object.fromEntries(
      ["brotli", "default", "gzip", "lz4", "none", "snappy", "zstd"]
        .map((codec) => [`${codec}.parquet`, parquet({ path: at(`${codec}.parquet`) })]),
    ),
    "array.json by jsonl": jsonl({ path: at("array.json") }),
    "lines.jsonl by jsonl": jsonl({ path: at("lines.jsonl") }),
    "array.json by json": json({ path: at("array.json") }),
    "lines.jsonl by json": json({ path: at("lines.jsonl") }),
    saved: arrow({ path: at("saved") }),
    saved_dict: arrow({ path: at("saved_dict"), split: "train+test" }),
  };
  return Object.entries(datasets).filter(([name]) => existsSync(at(name.split(" ")[0] ?? ""))).map(([name, dataset]) =>
    check(name, async () => {
      const rows = (await collect((await dataset.open(await hostHere(1))).read())).map(({ row }) => row);
      assert.deepEqual(rows, wanted);
    })
  );
}
