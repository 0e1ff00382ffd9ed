import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { hostHere } from "../../runtimes/host/train.ts";
import { families } from "../conformance/families.ts";
import { tasks, trains } from "../conformance/model_tasks.ts";

describe("docs/models.md", () => {
  const table = readFileSync(new URL("../../docs/models.md", import.meta.url), "utf8").split("\n")
    .filter((line) => /^\| *[a-z|]/.test(line) && !line.includes("---")).map((line) =>
      line.split("|").slice(1, -1).map((cell) => cell.trim())
    );
  const [head = [], ...rows] = table;

  it("has every task and family", () => {
    assert.deepEqual(head.slice(2, 2 + Object.keys(tasks).length), Object.keys(tasks).map((task) => `\`${task}\``));
    assert.deepEqual(rows.map(([name]) => name), Object.keys(families));
  });
  for (const [name = "", , ...cells] of rows) {
    it(`is true of ${name}`, async () => {
      const family = families[name];
      assert.ok(family);
      const models: string[] = [];
      for (const task of Object.keys(tasks)) models.push(await trains(family, task, await hostHere(1)) ? "yes" : "–");
      assert.deepEqual(models, cells.slice(0, models.length));
    });
  }
});
