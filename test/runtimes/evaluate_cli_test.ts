/** `attune evaluate` as a user types it: what its figures are of, intervals, groups, slices, comparisons, files. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { before, describe, it } from "node:test";
import { readSafetensors, writeSafetensors } from "../../core/files/safetensors.ts";
import type { Json, Named } from "../../core/types.ts";
import { main } from "../../runtimes/cli/main.ts";
import { tinyConfig, tinyRows, tinySpec, tinyTokenizer, tinyWeights } from "../tiny.ts";

const folder = mkdtempSync(join(tmpdir(), "attune-evaluate-"));
const at = (name: string): string => join(folder, name);
const rows = Array.from({ length: 48 }, (_, i): Named<Json> => ({
  ...tinyRows[i % tinyRows.length] as Named<Json>,
  region: i % 3 === 0 ? "north" : "south",
  page: Math.floor(i / 4),
}));
const lines = (some: readonly Named<Json>[]): string => some.map((row) => `${JSON.stringify(row)}\n`).join("");

/** What a command line prints, and its exit code. */
async function attune(...args: readonly string[]): Promise<Readonly<{ code: number; out: string; err: string }>> {
  const said = { out: "", err: "" };
  const [out, err] = [process.stdout.write, process.stderr.write];
  // What is no text is the test runner's.
  const captured = (name: "out" | "err", real: typeof process.stdout.write): typeof process.stdout.write =>
    ((text: string | Uint8Array) =>
      typeof text === "string" ? (said[name] += text, true) : real.call(process.stdout, text)) as typeof real;
  process.stdout.write = captured("out", out);
  process.stderr.write = captured("err", err);
  try {
    const code = await main(args);
    return { code, ...said };
  } finally {
    [process.stdout.write, process.stderr.write] = [out, err];
  }
}

async function evaluated(...args: readonly string[]): Promise<Named<Json> & { err: string }> {
  const { code, out, err } = await attune("evaluate", ...args);
  assert.equal(code, 0, err);
  return { ...JSON.parse(out), err };
}

before(async () => {
  mkdirSync(at("model"));
  const files = { "config.json": tinyConfig, "tokenizer.json": tinyTokenizer };
  for (const [name, value] of Object.entries(files)) writeFileSync(join(at("model"), name), JSON.stringify(value));
  writeFileSync(join(at("model"), "model.safetensors"), writeSafetensors(tinyWeights()));
  for (const [name, some] of Object.entries({ train: rows.slice(0, 24), eval: rows.slice(24, 36), test: rows })) {
    writeFileSync(at(`${name}.jsonl`), lines(some));
  }
  const data = Object.fromEntries(
    ["train", "eval", "test"].map((name) => [name, { use: "jsonl", with: { path: `./${name}.jsonl` } }]),
  );
  const metrics = ["accuracy", { use: "f1", with: { average: "macro" } }];
  const model = { use: "pretrained", with: { path: "./model" } };
  for (const [name, maxSteps] of [["one", 1], ["ten", 10]] as const) {
    const spec = tinySpec({ training: { maxSteps, perDeviceTrainBatchSize: 4, learningRate: 0.01 } }) as Named<Json>;
    writeFileSync(at(`${name}.json`), JSON.stringify({ ...spec, data, metrics, model, name }));
    const { code, err } = await attune("run", at(`${name}.json`), "--output", at(name), "--json");
    assert.equal(code, 0, err);
  }
});

describe("attune evaluate", () => {
  it("says what its figures are of, and takes another split or other rows", async () => {
    const file = JSON.parse(readFileSync(join(at("ten"), "metrics.json"), "utf8"));
    const test = await evaluated(at("ten"));
    assert.deepEqual([test.loss, test.accuracy, test.split, test.of], [
      file.loss,
      file.accuracy,
      "test",
      "test, 48 rows",
    ]);
    assert.match(test.err, /^test, 48 rows$/m);
    const judged = await evaluated(at("ten"), "--split", "eval");
    assert.equal(judged.of, "eval, the split that chose the checkpoint, 12 rows");
    assert.deepEqual([judged.loss, judged.split], [file.eval.loss, "eval"]);
    assert.equal((await evaluated(at("ten"), "--split", "train")).of, "train, 24 rows");
    const other = await evaluated(at("ten"), "--data", at("eval.jsonl"), "--json");
    assert.deepEqual([other.of, other.split, other.loss], [undefined, undefined, file.eval.loss]);
    assert.equal((await attune("evaluate", at("ten"), "--split", "held")).code, 2);
    assert.equal((await attune("evaluate", at("ten"), "--split", "test", "--data", at("eval.jsonl"))).code, 2);
  });

  it("puts intervals beside its numbers, by group too, and resamples clusters whole", async () => {
    const evaluation = await evaluated(at("ten"), "--intervals", "200", "--by", "region");
    const [low = 1, high = 0] = evaluation.accuracy_interval as number[];
    assert.ok(low < Number(evaluation.accuracy) && Number(evaluation.accuracy) <= high && low > 0);
    const [least = 9, most = 0] = evaluation.loss_interval as number[];
    assert.ok(least < Number(evaluation.loss) && Number(evaluation.loss) < most);
    const { north } = evaluation.accuracy_by_region as Named<Named<Json>>;
    assert.deepEqual(Object.keys(north ?? {}), ["value", "value_interval", "count"]);
    assert.equal(north?.count, 16);
    assert.deepEqual(await evaluated(at("ten"), "--intervals", "200", "--by", "region"), evaluation);
    const clustered = await evaluated(at("one"), "--intervals", "200", "--cluster", "page");
    assert.notDeepEqual(
      clustered.accuracy_interval,
      (await evaluated(at("one"), "--intervals", "200")).accuracy_interval,
    );
    assert.match((await attune("evaluate", at("ten"), "--by", "age")).err, /column "age"/);
    assert.match((await attune("evaluate", at("ten"), "--intervals", "--cluster", "age")).err, /column "age"/);
  });

  it("compares two runs on the same rows, from the model or from predictions.jsonl alike", async () => {
    type Compared = Named<Json> & {
      accuracy: Named<Json>;
      mcnemar: Named<number>;
      changed: { fixed: number[]; broken: number[] };
    };
    const plain = await evaluated(at("ten"));
    const models = (await evaluated(at("ten"), "--compare", at("one"), "--intervals", "200")).compare as Compared;
    const other = await evaluated(at("one"), "--predictions");
    const written = (await evaluated(at("ten"), "--compare", at("one"), "--intervals", "200")).compare as Compared;
    assert.deepEqual(written, models);
    const { value, other: before, difference, difference_interval: [low, high] } = models.accuracy as {
      value: number;
      other: number;
      difference: number;
      difference_interval: [number, number];
    };
    assert.deepEqual([value, before, difference], [plain.accuracy, other.accuracy, value - before]);
    assert.ok(low <= difference && difference <= high && low < high);
    const { value: now, p } = models.loss as { value: number; p: number };
    assert.ok(Math.abs(now - Number(plain.loss)) < 1e-4 && p > 0 && p <= 1);
    const { fixed, broken } = models.changed;
    assert.ok(Math.abs((fixed.length - broken.length) / rows.length - difference) < 1e-12);
    assert.deepEqual([models.mcnemar.onlySecondRight, models.mcnemar.onlyFirstRight], [fixed.length, broken.length]);
    const lines = readFileSync(join(at("one"), "predictions.jsonl"), "utf8").trim().split("\n");
    assert.equal(lines.length, rows.length);
    const line = JSON.parse(lines[3] ?? "");
    assert.deepEqual([line.row, line.label, line.scores.length], [3, rows[3]?.label, 2]);
    assert.ok(fixed.every((row) => JSON.parse(lines[row] ?? "").prediction !== rows[row]?.label));
    // Columns of groups are those of the rows, also where the file has none.
    const grouped = await evaluated(at("ten"), "--compare", at("one"), "--by", "region", "--intervals", "50");
    assert.doesNotMatch(grouped.err, /does not match/);
    assert.ok("accuracy_by_region.north.value" in (grouped.compare as Compared));
    const few = ["--data", at("eval.jsonl"), "--compare", at("one")];
    assert.equal((await evaluated(at("ten"), ...few)).rows, 12);
    assert.match((await attune("evaluate", at("ten"), "--compare", at("none"))).err, /none/);
  });

  it("answers of other rows are no comparison: as many rows with another label are named, and the model answers", async () => {
    await evaluated(at("one"), "--predictions");
    const file = join(at("one"), "predictions.jsonl");
    const written = readFileSync(file, "utf8");
    const models = (await evaluated(at("ten"), "--compare", at("one"))).compare;
    const [line = "", ...rest] = written.trim().split("\n").slice(5);
    const { label, ...own } = JSON.parse(line);
    const turned = JSON.stringify({ ...own, label: label === "good" ? "bad" : "good" });
    const others = [...written.trim().split("\n").slice(0, 5), turned, ...rest].join("\n");
    writeFileSync(file, others);
    const again = await evaluated(at("ten"), "--compare", at("one"));
    assert.match(
      again.err,
      /predictions\.jsonl does not match these rows: row 5 has the label "(good|bad)" there, "(good|bad)" here/,
    );
    assert.deepEqual(again.compare, models);
    // Without a model there is nothing else to ask.
    mkdirSync(at("lines"));
    for (
      const [text, why] of [
        [others, /does not match these rows: row 5 has the label/],
        [written.split("\n").slice(0, 40).join("\n"), /it has 40 rows, 48 are evaluated/],
        [written.split("\n").slice(1).join("\n"), /it has row 1 where row 0 is evaluated/],
        [written + line, /row 5 is not among the 48/],
      ] as const
    ) {
      writeFileSync(join(at("lines"), "predictions.jsonl"), text);
      const { code, err } = await attune("evaluate", at("ten"), "--compare", at("lines"));
      assert.equal(code, 2);
      assert.match(err, why);
    }
    writeFileSync(join(at("lines"), "predictions.jsonl"), written);
    const { with: _, ...same } = (await evaluated(at("ten"), "--compare", at("lines"))).compare as Named<Json>;
    const { with: __, ...wanted } = models as Named<Json>;
    assert.deepEqual(same, wanted);
    writeFileSync(file, written);
  });

  it("a task that answers places within rows has no predictions, and says so", async () => {
    const spec = JSON.parse(readFileSync(at("one.json"), "utf8"));
    const { metrics: _, adapter: __, ...own } = { ...spec, name: "masked", task: "masked-lm" };
    writeFileSync(at("masked.json"), JSON.stringify(own));
    const file = at("masked-predictions.jsonl");
    // A model that cannot be evaluated leaves nothing either.
    assert.equal((await attune("evaluate", at("masked.json"), "--predictions", file)).code, 1);
    assert.equal(existsSync(file) || existsSync(`${file}.part`), false);
    assert.equal((await attune("run", at("masked.json"), "--output", at("masked"), "--json")).code, 0);
    const { err } = await evaluated(at("masked"), "--predictions", file);
    assert.match(err, /no predictions, because the task answers parts of rows/);
    const { slices } = await evaluated(at("masked"), "--slices") as unknown as { slices: Named<Json> };
    assert.equal(slices.metric, "loss per token");
    // What is said of a row's places is said of its group.
    const metrics = 'metrics=["accuracy","perplexity"]';
    const grouped = await evaluated(at("masked"), "--by", "region", "--set", metrics);
    const of = (name: string) => Object.values(grouped[name] as Named<{ value: number; count: number }>);
    const right = of("accuracy_by_region").reduce((sum, { value, count }) => sum + value * count, 0);
    const tokens = of("accuracy_by_region").reduce((sum, { count }) => sum + count, 0);
    assert.ok(tokens > 0 && Math.abs(right / tokens - Number(grouped.accuracy)) < 1e-12);
    assert.equal(of("perplexity_by_region").reduce((sum, { count }) => sum + count, 0), rows.length);
    assert.equal(existsSync(file) || existsSync(`${file}.part`), false);
  });

  it("searches slices, and says how many", async () => {
    const { slices } = await evaluated(at("one"), "--slices") as unknown as {
      slices: { metric: string; searched: number; slices: Named<Json>[] };
    };
    assert.equal(slices.metric, "accuracy");
    assert.ok(slices.searched >= slices.slices.length && slices.slices.length > 2);
    const [worst] = slices.slices;
    assert.ok(Number(worst?.holm) >= Number(worst?.benjaminiHochberg) && Number(worst?.holm) >= Number(worst?.p));
    assert.ok(slices.slices.some(({ column, value }) => column === "label" && value === "bad"));
  });

  it("says where a model's answers are no numbers, and ends", async () => {
    const full = tinySpec({ adapter: null, training: { maxSteps: 1, perDeviceTrainBatchSize: 4 } }) as Named<Json>;
    const data = Object.fromEntries(["train", "eval", "test"].map((name) => [name, `./${name}.jsonl`]));
    const model = { use: "pretrained", with: { path: "./model" } };
    writeFileSync(at("whole.json"), JSON.stringify({ ...full, data, model }));
    assert.equal((await attune("run", at("whole.json"), "--output", at("whole"), "--json")).code, 0);
    const file = join(at("whole"), "model/model.safetensors");
    const tensors = readSafetensors(readFileSync(file), file);
    for (const [name, { data }] of Object.entries(tensors)) {
      if (name.startsWith("classifier")) (data as Float32Array).fill(NaN);
    }
    writeFileSync(file, writeSafetensors(tensors));
    const page = at("whole.html");
    const evaluation = await evaluated(at("whole"), "--intervals", "50", "--slices", "--report", page, "--predictions");
    assert.equal(evaluation.loss, null);
    assert.match(evaluation.err, /^The loss is not a finite number, and so some of the model's answers are none/m);
    assert.ok(!readFileSync(page, "utf8").includes("NaN"));
    const [first = ""] = readFileSync(join(at("whole"), "predictions.jsonl"), "utf8").split("\n");
    assert.deepEqual(JSON.parse(first).scores, [null, null]);
    const { code, err } = await attune("evaluate", at("whole"), "--thresholds", "region");
    assert.equal(code, 2);
    assert.match(err, /the score of row 0: expected a number, on which side of a threshold it may be/);
  });

  it("chooses thresholds for each group on eval, and shows them on test, before and after", async () => {
    type Effect = { accuracy: number; selectionRateGap: number };
    const { thresholds } = await evaluated(at("one"), "--thresholds", "region") as unknown as {
      thresholds: Named<Json> & { demographic_parity: Named<Effect> & { groups: Named<Json> } };
    };
    assert.deepEqual([thresholds.tunedOn, thresholds.shownOn], ["eval, 12 rows", "test, 48 rows"]);
    const { groups, before, mixture, rounded } = thresholds.demographic_parity;
    assert.deepEqual(Object.keys(groups).sort(), ["north", "south"]);
    for (const effect of [before, mixture, rounded]) assert.ok((effect?.accuracy ?? -1) >= 0);
    // Where they were tuned the mixture leaves no gap.
    const own = await evaluated(at("one"), "--thresholds", "region", "--split", "eval") as unknown as {
      thresholds: { demographic_parity: Named<Effect> };
    };
    assert.ok((own.thresholds.demographic_parity.mixture?.selectionRateGap ?? 1) < 1e-9);
    assert.match((await attune("evaluate", at("one"), "--thresholds", "age")).err, /column "age"/);
  });

  it("writes the run's report of any evaluation", async () => {
    await evaluated(
      at("ten"),
      "--by",
      "region",
      "--report",
      at("pages/report.html"),
      "--predictions",
      at("answers.jsonl"),
    );
    const page = readFileSync(at("pages/report.html"), "utf8");
    assert.match(page, /test, 48 rows/);
    assert.match(page, /Confusion/);
    const line = JSON.parse(readFileSync(at("answers.jsonl"), "utf8").split("\n")[0] ?? "");
    assert.deepEqual(line.groups, { region: "north" });
  });
});
