/** Lists where options want names with values. */
import assert from "node:assert/strict";
import { it } from "node:test";
import * as v from "valibot";
import { compose } from "../../core/spec/compose.ts";
import { listForNames } from "../../core/spec/lists.ts";
import { catalog } from "../../plugins/catalog.ts";
import { mapColumns } from "../../plugins/transforms/map_columns.ts";

it("a list is no object, wherever one is wanted", () => {
  const names = v.record(v.string(), v.string());
  const schema = v.strictObject({
    one: v.optional(v.nullable(v.union([v.string(), names])), null),
    many: v.array(v.pipe(names, v.check(() => true))),
    either: v.optional(v.union([v.array(v.number()), names])),
  });
  assert.deepEqual(listForNames(schema, []), []);
  assert.deepEqual(listForNames(schema, { one: ["x"] }), ["one"]);
  assert.deepEqual(listForNames(schema, { one: "x", many: [{}, ["x"]] }), ["many", "1"]);
  assert.equal(listForNames(schema, { one: { a: "x" }, many: [{ b: "y" }], either: [1] }), undefined);
});

it("a spec says where one stands", () => {
  assert.throws(() => mapColumns({ columns: ["text"] as never }), /columns: expected names with values, not a list/);
  const data = {
    train: { use: "memory", with: [] },
    eval: { use: "memory", with: { rows: [["a"]] } },
  };
  const spec = { version: 1, model: "attune:base", task: "sequence-classification", data, adapter: "lora" };
  assert.throws(
    () => compose(spec as never, catalog),
    /data\.train\.with: names with values, not a list[^]*data\.eval\.with\.rows\.0: names with values, not a list, found \["a"\]/,
  );
});
