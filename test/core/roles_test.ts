import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import * as v from "valibot";
import { compose } from "../../core/spec/compose.ts";
import { toSpec } from "../../core/spec/to_spec.ts";
import { referencesOf } from "../../core/jobs/references.ts";
import { withPackages } from "../../core/spec/packages.ts";
import { placedPaths } from "../../core/run/write/places.ts";
import { specToKeep } from "../../core/run/checkpoints/resume.ts";
import { define, partsIn, pluginOption, revealSecret, role, rolesOf, secretOption, sum } from "../../kit.ts";
import type { Catalog, Factory, Json, Kind, Named, RunSpec } from "../../kit.ts";
import { catalog as builtIn } from "../../plugins/catalog.ts";

const path = { role: "path" } as const;

/** A stranger's loss: its options are called what no built-in plugin calls them. */
const strange: Factory<"loss", object> = define({
  kind: "loss",
  name: "strange",
  schema: v.strictObject({
    weights: role(v.optional(v.union([v.string(), v.array(v.string())])), path),
    vocabulary: role(v.optional(v.string()), path),
    words: v.optional(v.strictObject({ lists: v.array(v.strictObject({ file: role(v.string(), path) })) })),
    path: v.optional(v.string(), "not a path"),
    scratch: role(v.optional(v.nullable(v.string())), { role: "cache" }),
    page: role(v.optional(v.string()), { role: "address" }),
    key: v.optional(secretOption(v.string())),
    rows: v.optional(pluginOption("data", "a dataset")),
    scale: v.optional(v.number(), 1),
  }) as v.GenericSchema<object, object>,
  create: () => ({ over: "batch", sum: (_, output) => sum(output), count: () => 1 }),
});

const catalog: Catalog = withPackages(builtIn, [{ name: "attune-plugin-strange", entries: [strange] }]);
const base = {
  version: 1,
  model: { use: "pretrained", with: { path: "org/name" } },
  task: { use: "sequence-classification", with: { labels: ["bad", "good"] } },
  data: { train: { use: "jsonl", with: { path: "rows.jsonl" } } },
};
const within = (options: Named<Json>): Named<Json> => ({ ...base, loss: { use: "strange", with: options } });
const place = (spec: Named<Json>): Named<Json> =>
  placedPaths(spec, catalog, (path, name) => (name ? path : `/spec/${path}`));
const optionsOf = (spec: unknown): Named<Json> => (spec as { loss: { with: Named<Json> } }).loss.with;
const composed = (spec: Named<Json>): Named<Json> =>
  toSpec(compose(spec as unknown as RunSpec, catalog)) as Named<Json>;

/** A value without the fields that another does not have. */
function namedIn(value: Json, other: Json): Json {
  if (Array.isArray(value)) return value.map((own, i) => namedIn(own, Array.isArray(other) ? other[i] ?? null : null));
  if (typeof value !== "object" || value === null || typeof other !== "object" || other === null) return value;
  const fields = Object.entries(value).filter(([key]) => Object.hasOwn(other, key));
  return Object.fromEntries(fields.map(([key, own]) => [key, namedIn(own, (other as Named<Json>)[key] ?? null)]));
}

describe("roles", () => {
  it("are read from a schema, wherever the option is", () => {
    assert.deepEqual(rolesOf(strange.schema), {
      weights: path,
      vocabulary: path,
      "words.lists.*.file": path,
      scratch: { role: "cache" },
      page: { role: "address" },
      key: { role: "secret" },
      rows: { role: "plugin", kind: "data" },
    });
    assert.deepEqual(strange.roles, rolesOf(strange.schema));
    assert.deepEqual(builtIn.task["multi-task"].roles, {
      "tasks.*.task": { role: "plugin", kind: "task" },
      "tasks.*.data.train": { role: "plugin", kind: "data" },
      "tasks.*.data.eval": { role: "plugin", kind: "data" },
      "tasks.*.data.test": { role: "plugin", kind: "data" },
      "tasks.*.metrics.*": { role: "plugin", kind: "metric" },
      "tasks.*.adapter": { role: "plugin", kind: "adapter" },
    });
    assert.deepEqual(rolesOf({ "~standard": {} }), {});
  });

  it("a part is seen once, where it stands alone and in a list", () => {
    const lora = { use: "lora", with: { r: 2 } };
    const task = { task: base.task, data: base.data };
    const tasks = { a: { ...task, adapter: lora }, b: { ...task, adapter: [lora] } };
    const { data: _, ...rest } = base;
    const spec = { ...rest, task: { use: "multi-task", with: { tasks } } } as unknown as Named<Json>;
    const adapters = partsIn(spec, catalog).filter(({ kind }) => kind === "adapter");
    assert.deepEqual(adapters, [
      { kind: "adapter", use: "lora", at: "task.with.tasks.a.adapter" },
      { kind: "adapter", use: "lora", at: "task.with.tasks.b.adapter.0" },
    ]);
    compose(spec as unknown as RunSpec, catalog);
  });

  it("a stranger's paths are resolved, one or several, also within plugins within it; what has no role stays", () => {
    const rows = { use: "take", with: { source: "more.csv", limit: 2 } };
    const spec = {
      weights: ["a.bin", "b.bin"],
      vocabulary: "words.txt",
      words: { lists: [{ file: "one.txt" }] },
      path: "not a path",
      scratch: "kept",
      page: "https://example.org",
      key: { env: "KEY" },
      rows,
    };
    const placed = place(within(spec));
    assert.deepEqual(optionsOf(placed), {
      ...spec,
      weights: ["/spec/a.bin", "/spec/b.bin"],
      vocabulary: "/spec/words.txt",
      words: { lists: [{ file: "/spec/one.txt" }] },
      scratch: "/spec/kept",
      rows: { use: "take", with: { source: { use: "csv", with: { path: "/spec/more.csv" } }, limit: 2 } },
    });
    assert.deepEqual(placed.model, base.model);
    const logged = { ...base, loggers: [{ use: "csv", with: { path: "steps.csv", evalPath: "eval.csv" } }] };
    assert.deepEqual(place(logged).loggers, logged.loggers);
    const parquet = place({ ...base, data: { train: { use: "parquet", with: { path: ["a.parquet", "b.parquet"] } } } });
    assert.deepEqual(parquet.data, {
      train: { use: "parquet", with: { path: ["/spec/a.parquet", "/spec/b.parquet"] } },
    });
    const task = { use: "distillation", with: { teacher: "./teacher", cache: "kept" } };
    assert.deepEqual(place({ ...base, task }).task, {
      use: "distillation",
      with: { teacher: { use: "pretrained", with: { path: "/spec/./teacher" } }, cache: "/spec/kept" },
    });
  });

  it("in a job paths are references, and nothing is written elsewhere, reached over the network or secret", () => {
    const job = (options: Named<Json>): Named<Json> => {
      const data = { train: { use: "jsonl", with: { path: "file-1" } } };
      return { ...within(options), data };
    };
    const refers = { weights: ["file-2", "file-3"], vocabulary: "file-4", scratch: null, path: "/etc/passwd" };
    assert.deepEqual(referencesOf(job(refers), catalog), [
      { name: "org/name", at: "model.with.path" },
      { name: "file-1", at: "data.train.with.path" },
      { name: "file-2", at: "loss.with.weights.0" },
      { name: "file-3", at: "loss.with.weights.1" },
      { name: "file-4", at: "loss.with.vocabulary" },
    ]);
    const wrong: [Named<Json>, RegExp][] = [
      [{ weights: "/etc/passwd" }, /loss\.with\.weights.*\/etc\/passwd/],
      [{ vocabulary: "../../words.txt" }, /loss\.with\.vocabulary/],
      [{ words: { lists: [{ file: "./x" }] } }, /loss\.with\.words\.lists\.0\.file/],
      [{ scratch: "kept" }, /loss\.with\.scratch.*written outside/],
      [{ page: "https://example.org" }, /loss\.with\.page.*network/],
      [{ key: { env: "AWS_SECRET_ACCESS_KEY" } }, /loss\.with\.key.*secret/],
      [{ rows: { use: "csv", with: { path: "/etc/passwd" } } }, /loss\.with\.rows\.with\.path/],
      [{ rows: "/etc/rows.csv" }, /loss\.with\.rows\.with\.path/],
    ];
    for (const [options, message] of wrong) assert.throws(() => referencesOf(job(options), catalog), message);
    const hub = { ...base, data: { train: { use: "hub", with: { path: "org/rows" } } } };
    assert.throws(() => referencesOf(hub, catalog), /data\.train\.with\.path.*network/);
    assert.throws(
      () => referencesOf(job({ key: "hunter2" }), catalog),
      (error: Error) => !/hunter2/.test(error.message),
    );
  });

  it("a secret is never written down, the name of its variable is", () => {
    assert.equal(optionsOf(composed(within({ key: "hunter2" }))).key, undefined);
    assert.deepEqual(optionsOf(composed(within({ key: { env: "KEY" } }))).key, { env: "KEY" });
    for (const nats of [builtIn.store.nats, builtIn.queue.nats]) {
      assert.deepEqual(nats.roles.url, { role: "secret" });
      assert.deepEqual(nats({ url: { env: "NATS_URL" } }).options, {
        ...nats({ url: "nats://u:p@h" }).options,
        url: { env: "NATS_URL" },
      });
    }
    assert.equal(revealSecret("nats", { env: "NATS_URL" }, { env: { NATS_URL: "nats://h" } }), "nats://h");
    assert.equal(revealSecret("nats", "nats://h", { env: {} }), "nats://h");
    assert.throws(() => revealSecret("nats", { env: "NATS_URL" }, { env: {} }), /NATS_URL is not set/);
  });

  it("where something lies is no part of a run's identity; what it is called otherwise is", () => {
    const keptOptions = (options: Named<Json>): Json => optionsOf(specToKeep(composed(within(options)), catalog));
    const here = keptOptions({
      weights: "/here/a",
      vocabulary: "/here/b",
      scratch: "/here/c",
      key: { env: "A" },
      scale: 2,
    });
    assert.deepEqual(
      keptOptions({ weights: ["/x", "/y"], vocabulary: "/z", scratch: null, key: { env: "B" }, scale: 2 }),
      {
        ...here as Named<Json>,
        scratch: null,
      },
    );
    assert.notDeepEqual(keptOptions({ scale: 3 }), keptOptions({ scale: 2 }));
    assert.notDeepEqual(keptOptions({ path: "a" }), keptOptions({ path: "b" }));
  });

  it("runs that were saved when options were known by their names go on", () => {
    const saved: Named<{ spec: Named<Json>; kept: Named<Json> }> = JSON.parse(
      readFileSync(new URL("../fixtures/identities/kept.json", import.meta.url), "utf8"),
    );
    for (const [name, { spec, kept: options }] of Object.entries(saved)) {
      // Options that came since stand beside with their defaults.
      assert.deepEqual(namedIn(specToKeep(composed(spec), builtIn), options), options, name);
      assert.deepEqual(specToKeep(options, builtIn), options, name);
    }
  });

  it("name every plugin of a spec, down to those within others", () => {
    const named = partsIn(within({ rows: { use: "shuffle", with: { source: "memory" } } }), catalog);
    assert.deepEqual(named.map(({ kind, use, at }) => `${kind} ${use} ${at}`), [
      "model pretrained model",
      "task sequence-classification task",
      "data jsonl data.train",
      "loss strange loss",
      "data shuffle loss.with.rows",
      "data memory loss.with.rows.with.source",
    ]);
  });

  it("of the built-in plugins' options that are called as places are, each has one", () => {
    const places = /^(path|from|file|cache|url|directory|evalPath|weights|vocabulary)$/;
    const without = (Object.entries(builtIn) as [Kind, Named<{ schema: unknown; roles: object }>][]).flatMap(
      ([kind, entries]) =>
        Object.entries(entries).flatMap(([use, { schema, roles }]) => {
          const { entries = {}, pipe } = schema as { entries?: object; pipe?: { entries?: object }[] };
          return Object.keys(pipe?.[0]?.entries ?? entries).filter((key) =>
            places.test(key) && !Object.hasOwn(roles, key)
          )
            .map((key) => `${kind} ${use} ${key}`);
        }),
    );
    // What Cohen's kappa weighs with is a choice of two words.
    assert.deepEqual(without, ["metric cohen-kappa weights"]);
  });
});
