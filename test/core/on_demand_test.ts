import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose, toSpec } from "../../core/compose.ts";
import { composeOnDemand, type Imports } from "../../core/on_demand.ts";
import type { Kind, RunSpec } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { imports } from "../../plugins/imports.ts";

/** The package's imports, and what of them was asked for. */
function watched(): Readonly<{ imports: Imports; asked: Set<string> }> {
  const asked = new Set<string>();
  const kinds = Object.entries(imports).map(([kind, uses]) => [
    kind,
    Object.fromEntries(
      Object.entries(uses).map(([use, load]) => [use, () => {
        asked.add(`${kind} ${use}`);
        return load();
      }]),
    ),
  ]);
  return { imports: Object.fromEntries(kinds), asked };
}

const classes = { use: "sequence-classification", with: { labels: ["bad", "good"] } };
const rows = { use: "memory", with: { rows: [{ text: "fine", label: "good" }] } };
const base = { version: 1, model: "attune:base", task: classes, data: { train: rows } };
const specs: Readonly<Record<string, object>> = {
  "the least": { ...base, model: { use: "pretrained", with: { path: "./model" } } },
  "an adapter, a callback, data in data": {
    ...base,
    model: { use: "pretrained", with: { path: "./model" } },
    data: {
      train: { use: "take", with: { source: { use: "shuffle", with: { source: rows } }, limit: 1 } },
      eval: rows,
    },
    adapter: [{ use: "lora", with: { r: 2 } }],
    callbacks: ["early-stopping"],
    training: { evalStrategy: "epoch" },
    regularizers: ["l2-sp"],
  },
  "several tasks": {
    version: 1,
    model: { use: "pretrained", with: { path: "./model" } },
    task: {
      use: "multi-task",
      with: { tasks: { a: { task: classes, data: { train: rows } }, b: { task: "masked-lm", data: { train: rows } } } },
    },
  },
};

describe("composing on demand", () => {
  for (const [name, spec] of Object.entries(specs)) {
    it(`${name}: the run that the whole catalog gives, and what it names can be had`, async () => {
      const { imports, asked } = watched();
      const run = await composeOnDemand(spec as RunSpec, imports);
      assert.deepEqual(toSpec(run), toSpec(compose(spec as RunSpec, catalog)));
      for (const task of run.task.subtasks) {
        run.use("collator", task.collator);
        for (const head of task.heads) run.use("head", head);
        for (const { loss } of task.losses) run.use("loss", loss);
        for (const metric of task.metrics) run.use("metric", metric);
      }
      for (const kind of ["architecture", "model", "tokenizer", "exporter"] as const) {
        for (const use of Object.keys(run.catalog[kind] ?? {})) assert.equal(run.catalog[kind]?.[use]?.use, use);
      }
      assert.ok(asked.has("optimizer adamw") && !asked.has("optimizer lion"));
      const all = Object.values(catalog).reduce((n, entries) => n + Object.keys(entries).length, 0);
      assert.ok(asked.size < all / 3, `${asked.size} of ${all}`);
    });
  }

  it("says what is wrong as the whole catalog does", async () => {
    const wrong = { ...specs["the least"], optimizer: "adamm", adapter: { use: "lora", with: { rank: 2 } }, colour: 1 };
    const said = (error: Error): string => error.message;
    const wanted = ((): string => {
      try {
        return String(compose(wrong as unknown as RunSpec, catalog));
      } catch (error) {
        return said(error as Error);
      }
    })();
    await assert.rejects(composeOnDemand(wrong as unknown as RunSpec, imports), (error: Error) => {
      assert.equal(error.message, wanted);
      return /adamm[^]*adamw/.test(wanted);
    });
  });

  it("has the plugins that the catalog has", () => {
    const names = (kinds: object): object =>
      Object.fromEntries((Object.entries(kinds) as [Kind, object][]).map(([kind, uses]) => [kind, Object.keys(uses)]));
    assert.deepEqual(names(imports), names(catalog));
  });
});
