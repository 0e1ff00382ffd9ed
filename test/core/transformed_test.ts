import assert from "node:assert/strict";
import { it } from "node:test";
import * as v from "valibot";
import { compose } from "../../core/spec/compose.ts";
import { toSpec } from "../../core/spec/to_spec.ts";
import { define } from "../../core/spec/define.ts";
import { trainRun } from "../../core/run/train/train.ts";
import { changeTexts, mapRoles, partsIn } from "../../core/spec/roles.ts";
import { taskData } from "../../core/spec/run_data.ts";
import { transformRows } from "../../core/spec/transformed.ts";
import type { Catalog, Json, Named, Row, Rows, SplitName, TrainingEvent, TransformContext } from "../../core/types.ts";
import { memory } from "../../plugins/data/memory.ts";
import { memory as memoryStore } from "../../plugins/stores/memory.ts";
import { catalog } from "../../plugins/catalog.ts";
import { hostHere } from "../../runtimes/host/train.ts";
import { tinyHost, tinyRows, tinySpec } from "../tiny.ts";

const host = tinyHost(await hostHere(1));

/** Drops every row whose number has a remainder, and tells what it was told. */
const contexts: TransformContext[] = [];
const every = define({
  kind: "transform",
  name: "every",
  schema: v.strictObject({ nth: v.optional(v.number(), 2) }),
  create: ({ nth }) => ({
    scope: "row",
    apply: async function* (rows, context) {
      contexts.push(context);
      for await (const item of rows) {
        if (item.index % nth === 0) yield item;
        else context.note(item, "dropped", "not every");
      }
    },
  }),
});
/** Repeats each row, in training alone. */
const twice = define({
  kind: "transform",
  name: "twice",
  schema: v.strictObject({}),
  create: () => ({
    scope: "choice",
    trainOnly: true,
    apply: async function* (rows, context) {
      for await (const item of rows) {
        yield item;
        context.note(item, "added", "again");
        yield item;
      }
    },
  }),
});
/** The first row to test, the second to eval, the others to train. */
const parts = define({
  kind: "transform",
  name: "parts",
  schema: v.strictObject({}),
  create: () => ({
    scope: "row",
    makes: ["train", "eval", "test"],
    apply: async function* (rows, context) {
      for await (const item of rows) {
        const part: SplitName = item.index === 0 ? "test" : item.index === 1 ? "eval" : "train";
        if (part === context.split) yield item;
        else context.note(item, "dropped", `of ${part}`);
      }
    },
  }),
});
const extended: Catalog = {
  ...catalog,
  transform: { every, twice, parts, "map-columns": catalog.transform["map-columns"] },
};
const rows: Row[] = Array.from({ length: 10 }, (_, i) => ({ text: `row ${i}`, label: i % 2 ? "bad" : "good" }));
const source = { use: "memory", with: { rows: rows as unknown as Json } };
const spec = (data: Named<unknown>): Named<Json> => ({ ...tinySpec(), data } as unknown as Named<Json>);
const composed = (data: Named<unknown>) => compose(spec(data) as never, extended);
const texts = async (opened: Rows | undefined): Promise<unknown[]> => {
  const all: unknown[] = [];
  for await (const { row } of opened?.read() ?? []) all.push(row.text);
  return all;
};

it("transforms run in order, and the task's columns, seed, split and tokenizer are told", async () => {
  const run = composed({ train: { ...source, transforms: ["every", { use: "every", with: { nth: 4 } }, "twice"] } });
  assert.deepEqual(await texts(await run.data.train?.open(host)), [
    "row 0",
    "row 0",
    "row 4",
    "row 4",
    "row 8",
    "row 8",
  ]);
  const opened = await run.data.train?.open(host);
  assert.deepEqual((await opened?.at?.([5, 2]))?.map((row) => row.text), ["row 8", "row 4"]);
  assert.deepEqual(opened?.transforms?.map(({ use, in: before, out }) => [use, before, out]), [
    ["every", 10, 5],
    ["every", 5, 3],
    ["twice", 3, 6],
  ]);
  const context = contexts.at(-1);
  assert.deepEqual(context?.columns, {
    texts: ["text", "textPair"],
    optional: ["textPair"],
    others: ["label", "labels"],
    classes: { label: ["bad", "good"], labels: ["bad", "good"] },
  });
  assert.equal(context?.split, "train");
  assert.equal((await context?.tokenizer())?.specialTokenIds.cls, 2);
});

it("a transform that splits runs first, makes the other two, and leaves to training what is its alone", async () => {
  const run = composed({ train: { ...source, transforms: ["twice", "every", "parts"] } });
  assert.deepEqual(Object.keys(run.data), ["train", "eval", "test"]);
  const of = async (name: SplitName) => await texts(await run.data[name]?.open(host));
  assert.deepEqual(await of("test"), ["row 0"]);
  assert.deepEqual(await of("eval"), []);
  assert.deepEqual(await of("train"), ["row 2", "row 2", "row 4", "row 4", "row 6", "row 6", "row 8", "row 8"]);
  // A run's spec has what was given; composed again it is the same run.
  const again = toSpec(run) as Named<Named<Named<unknown>>>;
  assert.deepEqual(Object.keys(again.data ?? {}), ["train"]);
  const second = compose(again as never, extended);
  const fingerprints = async (one: typeof run) => (await one.data.train?.open(host))?.fingerprint;
  assert.equal(await fingerprints(second), await fingerprints(run));
  assert.notEqual((await run.data.eval?.open(host))?.fingerprint, await fingerprints(run));
});

it("what a run tells its transforms reaches those of data sets within others, however deep", async () => {
  const inner = { ...source, transforms: ["every"] };
  const mixed = { use: "mix", with: { sources: [{ use: "take", with: { source: inner, limit: 9 } }, source] } };
  const run = composed({
    train: { ...mixed, transforms: ["every"] },
    eval: { use: "shuffle", with: { source: inner } },
  });
  for (const split of ["train", "eval"] as const) {
    const direct = composed({ train: source, [split]: inner });
    const [wanted, actual] = [[], []] as [TransformContext[], TransformContext[]];
    for (const [dataset, into] of [[direct.data[split], wanted], [run.data[split], actual]] as const) {
      contexts.length = 0;
      await dataset?.open(host);
      into.push(...contexts);
    }
    assert.ok(actual.length >= (split === "train" ? 2 : 1) && wanted.length > 0);
    for (const context of actual) {
      assert.equal(context.split, split);
      assert.deepEqual(context.columns, wanted[0]?.columns);
      assert.ok(context.columns);
      assert.equal(context.random.bits(0), wanted[0]?.random.bits(0));
      assert.ok((await context.tokenizer()).vocabSize > 0);
      assert.equal(context.splits.eval, run.data.eval);
    }
  }
});

it("what may not stand where it does is an error of the spec, all at once", () => {
  const wrong = (data: Named<unknown>, pattern: RegExp) => assert.throws(() => composed(data), pattern);
  wrong(
    { train: source, eval: { ...source, transforms: ["every", "twice"] } },
    /data\.eval\.transforms\.1.*"twice".*use it on data\.train/,
  );
  wrong({ train: source, test: { ...source, transforms: ["twice"] } }, /data\.test\.transforms\.0/);
  wrong({ train: source, eval: { ...source, transforms: ["parts"] } }, /data\.eval\.transforms\.0/);
  wrong(
    { train: { ...source, transforms: ["parts"] }, eval: source },
    /data\.eval: .*"parts" on data\.train creates it/,
  );
  wrong({ train: { ...source, transforms: ["parts", "parts"] } }, /one transform that splits/);
  wrong({ train: { ...source, transforms: ["evry"] } }, /data\.train\.transforms\.0.*did you mean "every"/);
  wrong({ train: { ...source, transforms: "every" } }, /data\.train\.transforms.*a list/);
  wrong({ train: { ...source, transform: [] } }, /did you mean "transforms"/);
  wrong({ train: source, evl: source }, /data\.evl.*did you mean "eval"/);
  const mixed = { use: "mix", with: { sources: [{ ...source, transforms: ["twice"] }] } };
  wrong({ train: source, eval: mixed }, /data\.eval\.with\.sources\.0\.transforms\.0/);
  assert.doesNotThrow(() => composed({ train: mixed }));
  assert.throws(
    () => compose(spec({ train: source, eval: transformRows(memory({ rows }), [twice()]) }) as never, extended),
    /"twice"/,
  );
});

it("a run says what transforms did, in events and in data.json", async () => {
  const renamed = tinyRows.map(({ text, label }) => ({ review: text, label }));
  const train = {
    use: "memory",
    with: { rows: renamed as unknown as Json },
    transforms: [{ use: "map-columns", with: { columns: { text: "review" }, keep: true } }, "every"],
  };
  const output = await memoryStore().open(host);
  const events: TrainingEvent[] = [];
  const given = { ...tinySpec(), data: { train }, training: { maxSteps: 1 } };
  for await (const event of trainRun(compose(given as never, extended), host, { output })) events.push(event);
  const [data] = events.filter((event) => event.type === "data");
  assert.deepEqual([data?.what, data?.in, data?.out], ["data.train", 24, 12]);
  assert.deepEqual(data?.transforms[1]?.dropped, { "not every": 12 });
  const file = JSON.parse(new TextDecoder().decode((await output.get("data.json"))?.bytes));
  assert.deepEqual(file.train.transforms[1].rows[0], { row: 1, action: "dropped", reason: "not every" });
  assert.equal(file.train.transforms[0].changed.columns, 24);
  assert.deepEqual([file.train.in, file.train.out, file.leaks], [24, 12, {}]);
  assert.equal(file.train.lengths.samples, 12);
  assert.ok(file.train.lengths.least > 0 && file.train.lengths.least <= file.train.lengths.median);
  const written = JSON.parse(new TextDecoder().decode((await output.get("spec.json"))?.bytes));
  assert.equal(written.data.train.transforms[1].use, "every");
});

it("what transforms did within other data sets is told with the path of each, and so is what is known of their columns", async () => {
  const inner = { ...source, transforms: [{ use: "every", with: { nth: 3 } }] };
  const around = {
    mix: { sources: [source, inner], stoppingStrategy: "all_exhausted" },
    split: { source: inner, part: "train" },
    fold: { source: inner, part: "train", folds: 2, fold: 0 },
    take: { source: inner, limit: 3 },
    shuffle: { source: inner },
    pairs: { source: inner },
  };
  const reportsOf = async (data: unknown) => {
    const opened = await composed({ train: data }).data.train?.open(host);
    return opened?.transforms?.map(({ use, within, in: before, out }) => [use, within, before, out]);
  };
  for (const [use, options] of Object.entries(around)) {
    const path = use === "mix" ? "with.sources.1" : "with.source";
    const told = ["every", path, 10, 4];
    assert.deepEqual(await reportsOf({ use, with: options }), [told], use);
    const further = await reportsOf({ use, with: options, transforms: ["twice"] });
    assert.deepEqual([further?.[0], further?.[1]?.slice(0, 2)], [told, ["twice", undefined]], use);
    const within = { use: "take", with: { source: { use, with: options, transforms: ["every"] }, limit: 2 } };
    const deep = await reportsOf(within);
    assert.deepEqual(deep?.map(([name, at]) => [name, at]), [["every", `with.source.${path}`], [
      "every",
      "with.source",
    ]]);
  }
  // Names of classes and what is odd about a file belong to its columns, wherever these stand.
  const classes = { label: ["bad", "good"] };
  const named = define({
    kind: "data",
    name: "named",
    schema: v.strictObject({}),
    create: () => ({
      open: async (given) => ({
        ...await memory({ rows }).open(given),
        classes,
        notes: ["odd"],
        where: async (i) => `line ${i}`,
      }),
    }),
  });
  const catalogWith = { ...extended, data: { ...extended.data, named } };
  for (const [use, { part, folds, fold: number, limit }] of Object.entries<Named<unknown>>(around)) {
    const options = JSON.parse(JSON.stringify({ part, folds, fold: number, limit }));
    const given = use === "mix" ? { sources: ["named"] } : { ...options, source: "named" };
    const opened = await compose(spec({ train: { use, with: given } }) as never, catalogWith).data.train?.open(host);
    assert.deepEqual(opened?.notes, ["odd"], use);
    assert.deepEqual(opened?.classes, use === "pairs" ? undefined : classes, use);
    const [row] = await opened?.at?.([1]) ?? [];
    if (use !== "mix" && use !== "pairs") {
      assert.equal(await opened?.where?.(1), `line ${String(row?.text).slice(4)}`, use);
    }
  }
});

it("an error of a transform says whose it is", async () => {
  const broken = define({
    kind: "transform",
    name: "broken",
    schema: v.strictObject({}),
    create: () => ({
      scope: "row",
      // deno-lint-ignore require-yield
      apply: async function* () {
        throw new TypeError("no such thing");
      },
    }),
  });
  const run = compose(spec({ train: { ...source, transforms: ["broken"] } }) as never, {
    ...extended,
    transform: { broken },
  });
  await assert.rejects(
    async () => await run.data.train?.open(host),
    /The transform "broken" failed: TypeError: no such thing/,
  );
});

it("tasks of several have their splits made too, and are evaluated on them", async () => {
  const task = { use: "sequence-classification", with: { labels: ["bad", "good"] } };
  const tasks = { a: { task, data: { train: { ...source, transforms: ["every", "parts"] } } } };
  const given = {
    ...spec({}),
    data: undefined,
    task: { use: "multi-task", with: { tasks } },
    training: { maxSteps: 1, evalStrategy: "steps", evalSteps: 1 },
  };
  const run = compose(given as never, extended);
  const [subtask] = run.task.subtasks;
  assert.ok(subtask);
  const data = taskData(run, subtask);
  assert.deepEqual(Object.keys(data), ["train", "eval", "test"]);
  assert.deepEqual(await texts(await data.train?.open(host)), ["row 2", "row 4", "row 6", "row 8"]);
  assert.deepEqual(contexts.at(-1)?.columns?.others, ["label", "labels"]);
  const again = compose(toSpec(run) as never, extended);
  assert.deepEqual(Object.keys(taskData(again, again.task.subtasks[0] as never)), ["train", "eval", "test"]);
  const wrong = { ...tasks.a, data: { train: source, eval: { ...source, transforms: ["twice"] } } };
  const refused = { ...given, task: { use: "multi-task", with: { tasks: { a: wrong } } } };
  assert.throws(() => compose(refused as never, extended), /task\.with\.tasks\.a\.data\.eval\.transforms\.0: "twice"/);
});

it("paths in the options of transforms are found, wherever a spec is carried", () => {
  const data = {
    train: {
      ...source,
      transforms: [{ use: "augment", with: { methods: ["mask"], model: "./m", models: ["a", "b"] } }],
    },
  };
  const mapped = mapRoles(
    spec(data),
    catalog,
    (value, role) => role.role === "path" ? changeTexts(value, "", (text) => `/at/${text}`) : value,
  );
  const [{ with: options }] = ((mapped.data as Named<Named<Json>>).train?.transforms ?? []) as unknown as readonly [
    Named<Named<Json>>,
  ];
  assert.deepEqual([options?.model, options?.models], ["/at/./m", ["/at/a", "/at/b"]]);
  assert.deepEqual(partsIn(spec(data), catalog).filter(({ kind }) => kind === "transform"), [
    { kind: "transform", use: "augment", at: "data.train.transforms.0" },
  ]);
});
