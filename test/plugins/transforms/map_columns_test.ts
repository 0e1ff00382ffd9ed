import assert from "node:assert/strict";
import { it } from "node:test";
import { checksOf } from "../../../conformance/mod.ts";
import { memory } from "../../../plugins/data/memory.ts";
import { mapColumns } from "../../../plugins/transforms/map_columns.ts";
import { transformRows } from "../../../core/spec/transformed.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { itPasses } from "../../checks.ts";

const rows = [{ review: "fine", stars: 5, id: 1 }, { review: "bad", stars: 1, id: 2 }];
const columns = { text: "review", label: "stars" };

itPasses(
  "map-columns",
  checksOf(mapColumns({ columns }), {
    rows,
    expected: [{ text: "fine", label: 5 }, { text: "bad", label: 1 }],
    // The second of two has the new names alone.
    other: mapColumns({ columns, keep: true }),
  }).filter(({ name }) => !name.startsWith("composes with itself")),
);
itPasses(
  "map-columns that keeps the others",
  checksOf(mapColumns({ columns: { id: "id", stars: "stars" }, keep: true }), {
    rows,
    expected: rows,
  }),
);

it("swaps two columns, and names a column that a row lacks", async () => {
  const host = await hostHere(1);
  const open = (given: Record<string, string>) =>
    transformRows(memory({ rows }), [mapColumns({ columns: given, keep: true })]).open(host);
  const opened = await open({ review: "stars", stars: "review" });
  assert.deepEqual(await opened.at?.([1]), [{ review: 1, stars: "bad", id: 2 }]);
  await assert.rejects(open({ text: "reviews" }), /row 0 has no column "reviews", did you mean "review"\?/);
});
