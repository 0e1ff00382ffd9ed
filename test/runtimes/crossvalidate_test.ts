import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { correctedInterval } from "../../core/statistics/corrected_interval.ts";
import type { Json, Named } from "../../core/types.ts";
import { main } from "../../runtimes/cli/main.ts";
import { commands, here, killableRun, started } from "../faults/killed_runs.ts";
import { itInPart } from "../sampled.ts";

const some = itInPart(3);

const { folder, spec } = killableRun({
  callbacks: [],
  loggers: [],
  training: { maxSteps: 8, evalSteps: 4, saveSteps: 2, gradientAccumulationSteps: 1, loadBestModelAtEnd: false },
});
const at = (name: string): string => join(folder, name);
const json = (path: string) => JSON.parse(readFileSync(path, "utf8"));
const rowsOf = (output: string): Named<Json>[] =>
  readFileSync(join(output, "folds/predictions.jsonl"), "utf8").trimEnd().split("\n").map((line) => JSON.parse(line));
const whole = json(spec);
const rows: readonly Named<Json>[] = whole.data.train.with.rows;

/** Another spec beside the first one. */
function changed(name: string, change: Named<Json>): string {
  writeFileSync(at(`${name}.json`), JSON.stringify({ ...whole, ...change }));
  return at(`${name}.json`);
}

describe("attune crossvalidate", () => {
  const output = at("whole");
  const args = ["--folds", "3", "--stratify", "label"];
  it("trains once for each fold, and answers every row by a model that never saw it", async () => {
    assert.equal(await main(["crossvalidate", spec, ...args, "--output", output]), 0);
    const lines = rowsOf(output);
    assert.deepEqual(lines.map(({ row }) => row), rows.map((_, i) => i));
    lines.forEach(({ row, label }) => assert.equal(label, rows[Number(row)]?.label));
    const metrics = json(join(output, "folds/metrics.json"));
    for (const fold of [0, 1, 2]) {
      const own = json(join(output, `folds/fold-${fold}/metrics.json`));
      assert.equal(own.split, "test");
      assert.equal(metrics.loss.folds[fold], own.loss);
      const tested = lines.filter((line) => line.fold === fold);
      const right = tested.filter(({ label, prediction }) => label === prediction).length;
      assert.ok(Math.abs(own.accuracy - right / tested.length) < 1e-12);
      for (const name of ["spec.json", "log.jsonl", "report.html", "adapter/adapter_config.json"]) {
        assert.ok(existsSync(join(output, `folds/fold-${fold}`, name)), name);
      }
      assert.ok(!existsSync(join(output, `folds/fold-${fold}/checkpoints/latest`)), "nothing goes on from there");
    }
    const sizes = { trainRows: rows.length * 2 / 3, testRows: rows.length / 3 };
    const { mean, low, high } = correctedInterval({ values: metrics.accuracy.folds, ...sizes });
    assert.ok(Math.abs(metrics.accuracy.mean - mean) < 1e-12);
    assert.ok(
      Math.abs(metrics.accuracy.interval[0] - low) < 1e-9 && Math.abs(metrics.accuracy.interval[1] - high) < 1e-9,
    );
  });
  it("goes on with the same folds where it is killed", async () => {
    const [parts, command] = [at("parts"), [...commands[here] ?? [], "crossvalidate", spec, ...args, "--json"]];
    for (let tries = 1;; tries++) {
      let lines = 0;
      const ended = await started([...command, "--output", parts], (_, child) => {
        if (++lines === 2) setTimeout(() => child.kill("SIGKILL"), 150 / tries);
      });
      if (ended.signal === "SIGKILL") break;
      // It had come to its end before this process got its turn to kill it.
      assert.ok(ended.code === 0 && tries < 10, ended.output);
      rmSync(parts, { recursive: true });
    }
    assert.equal(await main(["crossvalidate", spec, ...args, "--output", parts, "--resume", "--parallel", "2"]), 0);
    for (const name of ["metrics.json", "predictions.jsonl", "fold-2/adapter/adapter_model.safetensors"]) {
      assert.deepEqual(readFileSync(join(parts, "folds", name)), readFileSync(join(output, "folds", name)), name);
    }
    assert.equal(await main(["crossvalidate", spec, "--folds", "4", "--output", parts, "--resume"]), 3);
    assert.equal(await main(["crossvalidate", spec, ...args, "--output", parts]), 2);
  });
  some("searches within each fold's training rows where the spec has a search", async () => {
    const space = { "adapter.with.r": { type: "categorical", choices: [1, 2] } };
    const { train } = whole.data;
    const nested = changed("nested", {
      data: { train },
      training: { ...whole.training, evalStrategy: "no" },
      search: { use: "grid", with: { metric: "accuracy", space } },
    });
    const found = at("nested");
    assert.equal(await main(["crossvalidate", nested, "--folds", "2", "--output", found]), 0);
    for (const fold of [0, 1]) {
      const { params } = json(join(found, `folds/fold-${fold}.json`));
      const below = join(found, `folds/fold-${fold}`);
      const trials = readFileSync(join(below, "search/trials.jsonl"), "utf8").trimEnd().split("\n").map((l) =>
        JSON.parse(l)
      );
      const best = trials.reduce((a, b) => (b.value > a.value ? b : a));
      assert.deepEqual(params, best.params);
      assert.equal(json(join(below, "spec.json")).adapter[0].with.r, params["adapter.with.r"]);
      // A trial trains on half of the fold's training rows, and sees none of its test rows.
      const { data } = json(join(below, "search/trials/0000/spec.json"));
      assert.equal(data.train.with.source.with.part, "train");
      assert.equal(data.eval.with.source.with.part, "train");
      assert.equal(data.eval.with.source.with.fold, fold);
    }
  });
  some("does transforms to every row that is measured, those for training alone to rows that train alone", async () => {
    const renamed = rows.map(({ text, ...row }) => ({ ...row, body: text ?? null }));
    const body = { use: "map-columns", with: { columns: { text: "body", label: "label" } } };
    const typos = { use: "augment", with: { methods: ["typo"] } };
    const space = { "adapter.with.r": { type: "categorical", choices: [1, 2] } };
    const spec = (name: string, more: readonly Json[]): string =>
      changed(name, {
        data: { train: { use: "memory", with: { rows: renamed }, transforms: [...more, body, typos] } },
        training: { ...whole.training, maxSteps: 2, evalSteps: 1 },
        search: { use: "grid", with: { metric: "loss", space } },
      });
    const used = (part: Named<Named<Json>[]>): Json[] => (part.transforms ?? []).map(({ use }) => use ?? null);
    const data = (name: string, folder: string) => json(join(at(name), "folds/fold-0", folder, "spec.json")).data;
    const folds = ["--folds", "2", "--stratify", "label"];
    assert.equal(await main(["crossvalidate", spec("mapped", []), ...folds, "--output", at("mapped")]), 0);
    const inner = data("mapped", "search/trials/0000");
    assert.deepEqual([inner.train, inner.eval].map(used), [["map-columns", "augment"], ["map-columns"]]);
    const outer = data("mapped", "");
    assert.deepEqual([outer.train, outer.test].map(used), [["map-columns", "augment"], ["map-columns"]]);
    // What a split holds out to judge by is held out of each fold's training rows; its test rows are the fold's.
    const split = { use: "split", with: { sizes: { train: 0.5, eval: 0.25, test: 0.25 }, stratify: "label" } };
    assert.equal(await main(["crossvalidate", spec("split", [split]), ...folds, "--output", at("split")]), 0);
    for (const folder of ["", "search/trials/0001"]) {
      const { train, eval: held } = data("split", folder);
      assert.deepEqual(used(train), ["split", "map-columns", "augment"]);
      const { train: share, eval: judging, ...rest } = train.transforms[0].with.sizes;
      assert.ok(Math.abs(share - 2 / 3) < 1e-12 && Math.abs(judging - 1 / 3) < 1e-12);
      assert.deepEqual([rest, held], [{}, undefined]);
    }
    const { trainRows } = json(join(at("split"), "folds/fold-0.json"));
    // Two thirds of the other half, and a row with typos of each.
    assert.equal(trainRows, 2 * Math.round(rows.length / 2 * 2 / 3));
    assert.deepEqual(rowsOf(at("split")).map(({ row }) => row), rows.map((_, i) => i));
  });
  some("repeats divide anew, and groups stay together", async () => {
    const grouped = changed("grouped", {
      data: { ...whole.data, train: { use: "memory", with: { rows: rows.map((row, i) => ({ ...row, of: i % 5 })) } } },
      training: { ...whole.training, maxSteps: 1 },
    });
    const found = at("grouped");
    const more = ["--folds", "2", "--repeats", "2", "--group", "of", "--output", found];
    assert.equal(await main(["crossvalidate", grouped, ...more]), 0);
    const lines = rowsOf(found);
    assert.equal(lines.length, 2 * rows.length);
    for (const repeat of [0, 1]) {
      const folds = new Map<number, Json>();
      for (const { row, fold } of lines.filter((line) => line.repeat === repeat)) {
        const group = Number(row) % 5;
        assert.equal(folds.get(group) ?? fold, fold);
        folds.set(group, fold ?? null);
      }
    }
    assert.equal(json(join(found, "folds/metrics.json")).loss.folds.length, 4);
  });
  some("rows that a transform drops are answered by none; the others keep their places", async () => {
    const numbered: readonly Named<Json>[] = rows.map((row, n) => ({ ...row, n }));
    const transforms = [{ use: "filter", with: { column: "n", not: true, in: [1, 4, 5] } }];
    const found = at("dropped");
    const own = changed("dropped", {
      data: { train: { use: "memory", with: { rows: numbered }, transforms } },
      training: { ...whole.training, maxSteps: 1, evalStrategy: "no" },
    });
    assert.equal(await main(["crossvalidate", own, "--folds", "3", "--output", found]), 0);
    const left = numbered.filter(({ n }) => ![1, 4, 5].includes(Number(n)));
    assert.deepEqual(rowsOf(found).map(({ row, label }) => [row, label]), left.map(({ n, label }) => [n, label]));
    // What a fold was answered is there, or its absence is said.
    rmSync(join(found, "folds/fold-1/predictions.jsonl"));
    assert.equal(await main(["crossvalidate", own, "--folds", "3", "--output", found, "--resume"]), 2);
  });
  some("names classes with fewer rows than folds, and answers their rows, too", async () => {
    const rare = rows.map((row, i) => (i === 3 ? { ...row, label: "rare" } : row));
    const own = changed("rare", {
      data: { train: { use: "memory", with: { rows: rare } } },
      task: "sequence-classification",
      model: { use: "pretrained", with: { ...whole.model.with, ignoreMismatchedSizes: true } },
      training: { ...whole.training, maxSteps: 1, evalStrategy: "no" },
    });
    const found = at("rare");
    const ended = await started([
      ...commands[here] ?? [],
      ...["crossvalidate", own, "--folds", "3", "--stratify", "label", "--output", found],
    ]);
    assert.equal(ended.code, 0, ended.output);
    assert.match(ended.output, /^each +one step, \d+ tokens/m);
    assert.match(ended.output, /Values of "label" with fewer rows than 3 folds, .*: "rare" \(1 row\)$/m);
    assert.deepEqual(rowsOf(found).map(({ label }) => label), rare.map(({ label }) => label));
  });
  some("says what is wrong before anything is written", async () => {
    const none = ["--output", at("none")];
    assert.equal(await main(["crossvalidate", spec, "--folds", "1", ...none]), 2);
    assert.equal(await main(["crossvalidate", spec, "--folds", "1000", ...none]), 2);
    assert.equal(await main(["crossvalidate", spec, "--stratify", "lable", ...none]), 2);
    assert.equal(await main(["crossvalidate", changed("no-data", { data: {} }), ...none]), 2);
    assert.equal(await main(["crossvalidate", spec, "--dry-run", ...none]), 0);
    assert.ok(!readdirSync(folder).includes("none"));
  });
});
