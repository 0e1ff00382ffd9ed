import assert from "node:assert/strict";
import { it } from "node:test";
import { AttuneError } from "../../../core/base/errors.ts";
import { inRow } from "../../../core/loop/measure.ts";

it("an error of a metric says its row, and keeps what caused it", () => {
  const cause = new TypeError("nothing has no x");
  const failed = new AttuneError(`The metric "mine" failed: ${cause}`, { code: "PLUGIN", plugin: "mine", cause });
  const wrapped = inRow(failed, 3, "mine") as AttuneError;
  assert.match(wrapped.message, /^\[attune\] \[mine\] row 3: The metric "mine" failed: TypeError: nothing has no x$/);
  assert.deepEqual([wrapped.code, wrapped.cause], ["PLUGIN", cause]);
  assert.equal(inRow(cause, 3, "mine"), cause);
});
