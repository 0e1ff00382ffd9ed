import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { encodeAll, encodeRows } from "../../../core/run/rows/data.ts";
import { openRun } from "../../../core/run/open/open.ts";
import { catalog } from "../../../plugins/catalog.ts";
import type { Row, RunSpec } from "../../../core/types.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { heldStore, tinyHost, tinySpec } from "../../tiny.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The targets of rows in a file. */
async function targetsOf(task: object, name: string, text: string, use = name.split(".").at(-1)): Promise<unknown[]> {
  const host = tinyHost(await hostHere());
  const store = heldStore({ [name]: bytes(text) });
  const directory: typeof host.directory = (path) => (path.endsWith("rows/") ? store : host.directory?.(path) ?? store);
  const data = { train: { use, with: { path: `rows/${name}` } } };
  const run = compose({ ...tinySpec(), task, data } as RunSpec, catalog);
  const open = await openRun(run, {
    ...host,
    directory,
    resolve: (p, b) => p.startsWith("rows/") ? p : host.resolve?.(p, b) ?? p,
  });
  const samples = await encodeAll(open, run.data.train as never, true);
  return samples.map((
    { targets, sequences },
  ) => [...targets.labels?.data ?? (sequences[0]?.fields.labels?.data ?? []).filter((x) => x !== -100)]);
}

const classes = (options: object): object => ({ use: "sequence-classification", with: options });
const jsonl = (rows: readonly Row[]): string => rows.map((row) => JSON.stringify(row)).join("\n");

describe("labels of rows", () => {
  const values = [1, 5, 3, 2];
  const stars = classes({ labels: ["1", "2", "3", "4", "5"] });
  const rows = values.map((label) => ({ text: "a film", label }));
  const files: Readonly<Record<string, string>> = {
    "rows.csv": `text,label\n${values.map((v) => `a film,${v}`).join("\n")}`,
    "floats.csv": `text,label\n${values.map((v) => `a film,${v}.0`).join("\n")}`,
    "rows.jsonl": jsonl(rows),
    "texts.jsonl": jsonl(values.map((v) => ({ text: "a film", label: String(v) }))),
    "rows.json": JSON.stringify(rows),
  };
  for (const [name, text] of Object.entries(files)) {
    it(`are names that are numbers, in ${name}`, async () => {
      assert.deepEqual(await targetsOf(stars, name, text), [[0], [4], [2], [1]]);
    });
  }

  it("are places where no name is a number, and never both", async () => {
    const two = classes({ labels: ["bad", "good"] });
    assert.deepEqual(await targetsOf(two, "a.jsonl", jsonl([{ text: "a", label: 1 }, { text: "a", label: "bad" }])), [[
      1,
    ], [0]]);
    await assert.rejects(
      targetsOf(stars, "a.jsonl", jsonl([{ text: "a", label: 0 }])),
      /unknown label 0 Allowed: \["1"/,
    );
  });

  it("are booleans by name", async () => {
    const text = jsonl([true, false, "true"].map((label) => ({ text: "a", label })));
    assert.deepEqual(await targetsOf(classes({ labels: ["true", "false"] }), "a.jsonl", text), [[0], [1], [0]]);
  });

  it("say which option names the classes", async () => {
    const text = jsonl([{ text: "a", label: 4 }]);
    await assert.rejects(
      targetsOf(classes({ numLabels: 2 }), "a.jsonl", text),
      /name the classes in task\.with\.labels/,
    );
  });

  it("are tags by the same rule", async () => {
    const task = { use: "token-classification", with: { labels: ["1", "2", "O"] } };
    const text = jsonl([{ tokens: ["a", "film"], tags: [1, 2] }, { tokens: ["a", "film"], tags: ["O", "2"] }]);
    assert.deepEqual(await targetsOf(task, "a.jsonl", text), [[0, 1], [2, 1]]);
  });

  const several = (labels: readonly string[]): object => classes({ labels, problemType: "multi-label" });
  const column = async (labels: readonly string[], values: readonly unknown[]): Promise<unknown[]> =>
    await targetsOf(several(labels), "a.jsonl", jsonl(values.map((labels) => ({ text: "a", labels }))));

  it("are a 0 or 1 for each label where all rows have that, else lists", async () => {
    assert.deepEqual(await column(["a", "b"], [[1, 0], [0, 1], [1, 1], [0, 0]]), [[1, 0], [0, 1], [1, 1], [0, 0]]);
    assert.deepEqual(await column(["a", "b"], [[1, 0], [0, 1]]), [[1, 0], [0, 1]]);
    assert.deepEqual(await column(["a", "b"], [[true, false], [false, true]]), [[1, 0], [0, 1]]);
    assert.deepEqual(await column(["a", "b"], [[1, 0], [1], []]), [[1, 1], [0, 1], [0, 0]]);
    assert.deepEqual(await column(["a"], [[1], [0]]), [[1], [0]]);
    assert.deepEqual(await column(["a"], [["a"], []]), [[1], [0]]);
    assert.deepEqual(await column(["a"], [[0], []]), [[1], [0]]);
    assert.deepEqual(await column(["1", "2"], [[1], [2, 1]]), [[1, 0], [1, 1]]);
    await assert.rejects(column(["a", "b"], [[1, 1], ["a"]]), /labels without repeats/);
    await assert.rejects(column(["a", "b", "c"], [["a", 0]]), /labels without repeats/);
  });

  it("of evaluation rows are read as those of training are", async () => {
    const of = (values: readonly unknown[]): object => ({
      use: "memory",
      with: { rows: values.map((labels) => ({ text: "a", labels })) },
    });
    const data = { train: of([[0], [1], []]), eval: of([[0, 1], [1, 0]]) };
    const run = compose({ ...tinySpec(), task: several(["a", "b"]), data } as RunSpec, catalog);
    const open = await openRun(run, tinyHost(await hostHere()));
    const { reading } = await encodeRows(open, run.data.train as never, true);
    const samples = await encodeAll(open, run.data.eval as never, true, { reading });
    assert.deepEqual(samples.map((s) => [...s.targets.labels?.data ?? []]), [[1, 1], [1, 1]]);
  });
});
