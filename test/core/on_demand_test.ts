import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../core/spec/compose.ts";
import { toSpec } from "../../core/spec/to_spec.ts";
import { allowOnly, type Imports, loadCatalog, loaderOf, type PluginImport } from "../../core/spec/loader.ts";
import { composeOnDemand } from "../../core/spec/on_demand.ts";
import type { Kind, RunSpec } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { imports } from "../../plugins/imports.ts";

/** The package's imports, and what of them was asked for. */
function watched(): Readonly<{ imports: Imports; asked: Set<string> }> {
  const asked = new Set<string>();
  const kinds = Object.entries(imports).map(([kind, uses]) => [
    kind,
    Object.fromEntries(
      Object.entries(uses).map(([use, one]: [string, PluginImport]) => {
        const load = () => {
          asked.add(`${kind} ${use}`);
          return typeof one === "function" ? one() : one.load();
        };
        return [use, typeof one === "function" ? load : { ...one, load }];
      }),
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
  "a teacher": {
    ...base,
    model: { use: "random", with: { path: "./model" } },
    task: {
      use: "distillation",
      with: { teacher: "./teacher", task: classes, embeddings: {}, hiddenStates: { layers: [[1, 2]] }, logits: {} },
    },
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
      const { subtasks } = run.task;
      for (const task of [...subtasks, ...subtasks.flatMap(({ teacher }) => teacher?.task ?? [])]) {
        run.use("collator", task.collator);
        for (const head of task.heads) run.use("head", head);
        for (const { loss } of task.losses) run.use("loss", loss);
        for (const metric of task.metrics) run.use("metric", metric);
      }
      for (const [kind, entries] of Object.entries(catalog) as [Kind, object][]) {
        assert.deepEqual(Object.keys(run.catalog[kind] ?? {}).sort(), Object.keys(entries).sort());
      }
      for (const use of ["hf", "peft"]) run.use("exporter", use);
      const architectures = (): string[] => [...asked].filter((name) => name.startsWith("architecture "));
      assert.deepEqual(architectures(), [], "none before the model's type is known");
      assert.deepEqual((await run.architectureFor("mt5")).modelTypes, ["t5", "mt5"]);
      assert.deepEqual(architectures(), ["architecture t5"], "and then one");
      await assert.rejects(run.architectureFor("berth"), /model type "berth".*did you mean "bert"/);
      assert.deepEqual(architectures(), ["architecture t5"]);
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

  it("says of architectures what they read", async () => {
    const loader = loaderOf(imports);
    for (const name of loader.names("architecture")) {
      const entry = await loader.load("architecture", name) as NonNullable<typeof catalog.architecture["bert"]>;
      const parsed = entry.parse({});
      assert.deepEqual(loader.modelTypes?.(name), parsed.issues ? undefined : parsed.value.modelTypes);
    }
  });

  it("what was not loaded says so, and composing does not try again", async () => {
    const { imports, asked } = watched();
    const loaded = await loadCatalog(specs["the least"], loaderOf(imports));
    const before = asked.size;
    assert.throws(() => loaded.optimizer?.lion?.parse({}), /optimizer "lion" was not loaded/);
    assert.equal(loaded.optimizer?.adamw?.use, "adamw");
    assert.equal(asked.size, before);
  });

  it("of several sources the first that has a name gives it; only what is allowed can be had", async () => {
    const entry = { ...catalog.schedule.constant, use: "flat" };
    const loader = loaderOf({ schedule: { flat: entry } }, imports, catalog);
    assert.equal(await loader.load("schedule", "flat"), entry);
    assert.equal(await loader.load("schedule", "linear"), catalog.schedule.linear);
    assert.equal(loader.names("schedule").filter((name) => name === "linear").length, 1);
    await assert.rejects(loader.load("schedule", "flt"), /did you mean "flat"/);
    const few = allowOnly(loader, new Set(["adamw", "linear"]));
    assert.deepEqual([few.names("optimizer"), few.names("schedule"), few.names("loss")], [["adamw"], ["linear"], []]);
    await assert.rejects(few.load("optimizer", "lion"), /lion/);
    assert.equal((await few.load("optimizer", "adamw")).use, "adamw");
  });

  it("has the plugins that the catalog has", () => {
    const names = (kinds: object): object =>
      Object.fromEntries((Object.entries(kinds) as [Kind, object][]).map(([kind, uses]) => [kind, Object.keys(uses)]));
    assert.deepEqual(names(imports), names(catalog));
  });
});
