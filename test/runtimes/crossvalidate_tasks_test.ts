import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe } from "node:test";
import { correctedInterval } from "../../core/statistics/corrected_interval.ts";
import type { Json, Named } from "../../core/types.ts";
import { main } from "../../runtimes/cli/main.ts";
import { commands, here, killableRun, started } from "../faults/killed_runs.ts";
import { itInPart } from "../sampled.ts";

const some = itInPart(3);

const plain = { callbacks: [], loggers: [] };
const training = { maxSteps: 4, saveSteps: 4, gradientAccumulationSteps: 1, evalSteps: 2, loadBestModelAtEnd: false };
const { folder, spec } = killableRun({ ...plain, training });
const at = (name: string): string => join(folder, name);
const json = (...path: string[]) => JSON.parse(readFileSync(join(...path), "utf8"));
const linesOf = (...path: string[]): Named<Json>[] =>
  readFileSync(join(...path), "utf8").trimEnd().split("\n").map((line) => JSON.parse(line));
const { task: _task, data: _data, metrics: _metrics, ...shared } = json(spec);
const texts = Array.from(
  { length: 18 },
  (_, i) => `the ${["film", "food", "phone"][i % 3]} was ${["good", "bad"][i % 2]}`,
);
const films = texts.map((text, i) => ({ text, label: ["good", "bad"][i % 2] ?? "" }));
const words = texts.slice(0, 12).map((text) => ({ tokens: text.split(" "), tags: ["D", "N", "V", "A"] }));
const memory = (rows: readonly Json[]): Json => ({ use: "memory", with: { rows } });

function written(name: string, own: Named<Json>): string {
  const model = { use: "pretrained", with: { ...shared.model.with, ignoreMismatchedSizes: true } };
  writeFileSync(at(`${name}.json`), JSON.stringify({ ...shared, model, ...own }));
  return at(`${name}.json`);
}

describe("folds of several tasks", () => {
  const data = (rows: readonly Json[]): Json => ({
    train: memory(rows),
    eval: memory(rows.slice(0, 4)),
    leakThreshold: 1,
  });
  const tasks = {
    films: { task: "sequence-classification", data: data(films) },
    // One task's name begins as the other's.
    films_words: { task: { use: "token-classification" }, data: data(words) },
  };
  const several = written("several", { task: { use: "multi-task", with: { tasks } } });
  some("each task's rows are divided, answered by models that never saw them, and measured", async () => {
    const output = at("several");
    assert.equal(await main(["crossvalidate", several, "--folds", "3", "--stratify", "label", "--output", output]), 0);
    const answers = {
      films: linesOf(output, "folds/films-predictions.jsonl"),
      words: linesOf(output, "folds/films_words-predictions.jsonl"),
    };
    assert.deepEqual(answers.films.map(({ row }) => row), films.map((_, i) => i));
    assert.deepEqual(answers.words.map(({ row }) => row), words.map((_, i) => i));
    answers.films.forEach(({ row, label }) => assert.equal(label, films[Number(row)]?.label));
    const metrics = json(output, "folds/metrics.json");
    assert.deepEqual(Object.keys(metrics), ["loss", "tasks"]);
    assert.deepEqual(Object.keys(metrics.tasks), ["films", "films_words"]);
    for (const fold of [0, 1, 2]) {
      const own = json(output, `folds/fold-${fold}/metrics.json`);
      assert.equal(metrics.loss.folds[fold], own.loss);
      for (const [task, figures] of Object.entries(metrics.tasks as Named<Named<{ folds: number[] }>>)) {
        for (const [name, { folds }] of Object.entries(figures)) assert.equal(folds[fold], own.tasks[task][name], name);
      }
      const tested = answers.films.filter((line) => line.fold === fold);
      assert.equal(tested.filter(({ label }) => label === "good").length, 3, "classes keep their shares");
      const right = tested.filter(({ label, prediction }) => label === prediction).length;
      assert.ok(Math.abs(own.tasks.films.accuracy - right / tested.length) < 1e-12);
      // What a fold is tested on it has not trained on.
      const { data } = json(output, `folds/fold-${fold}/spec.json`).task.with.tasks.films_words;
      assert.deepEqual([data.train.with.part, data.test.with.part, data.train.with.stratify], ["train", "test", null]);
      assert.equal(data.leakThreshold, 1);
    }
    // The rows that each task has itself say how much folds share.
    const { folds, interval } = metrics.tasks.films_words.loss;
    const { low, high } = correctedInterval({ values: folds, trainRows: 8, testRows: 4 });
    assert.ok(Math.abs(interval[0] - low) < 1e-12 && Math.abs(interval[1] - high) < 1e-12);
  });
  some("says what is wrong before anything is written", async () => {
    assert.equal(await main(["crossvalidate", several, "--stratify", "lable", "--output", at("none")]), 2);
    assert.equal(await main(["crossvalidate", several, "--folds", "13", "--output", at("none")]), 2);
    assert.equal(await main(["crossvalidate", several, "--dry-run", "--output", at("none")]), 0);
  });
  some("a search within folds judges tasks without eval rows by a fold of their training rows", async () => {
    const without = { films: { ...tasks.films, data: { train: memory(films) } }, words: tasks.films_words };
    const search = {
      use: "grid",
      with: {
        metric: "films_accuracy",
        space: { "training.learningRate": { type: "categorical", choices: [0.02, 1e-6] } },
      },
    };
    const nested = written("nested-tasks", { task: { use: "multi-task", with: { tasks: without } }, search });
    const output = at("nested-tasks");
    assert.equal(await main(["crossvalidate", nested, "--folds", "2", "--output", output]), 0);
    const { tasks: tried } = json(output, "folds/fold-0/search/trials/0000/spec.json").task.with;
    assert.deepEqual([tried.films.data.eval.use, tried.words.data.eval.use], ["fold", "memory"]);
    assert.equal(tried.films.data.eval.with.source.with.part, "train");
    assert.equal(json(output, "folds/fold-0/spec.json").task.with.tasks.films.data.eval, undefined);
  });
});

describe("folds of a spec without eval rows", () => {
  const task = "sequence-classification";
  const space = { "training.learningRate": { type: "categorical", choices: [0.03, 0.02, 1e-7] } };
  const search = {
    use: "grid",
    with: { metric: "loss", space, pruner: { use: "median", with: { startupTrials: 2 } } },
  };
  const trialsOf = (output: string, fold: number) => linesOf(output, `folds/fold-${fold}/search/trials.jsonl`);
  some(
    "trials are judged, and pruned, by a fold of the training rows; the fold's own run sees all of these",
    async () => {
      const nested = written("pruned", { task, data: { train: memory(films) }, search });
      const output = at("pruned");
      assert.equal(await main(["crossvalidate", nested, "--folds", "2", "--stratify", "label", "--output", output]), 0);
      for (const fold of [0, 1]) {
        assert.deepEqual(trialsOf(output, fold).map(({ state }) => state), ["complete", "complete", "pruned"]);
        const { data, training } = json(output, `folds/fold-${fold}/spec.json`);
        assert.deepEqual([data.eval, training.evalStrategy], [undefined, "no"]);
        const { trainRows, testRows } = json(output, `folds/fold-${fold}.json`);
        assert.deepEqual([trainRows, testRows], [9, 9]);
      }
      assert.deepEqual(linesOf(output, "folds/predictions.jsonl").map(({ row }) => row), films.map((_, i) => i));
      // What it takes is planned without training anything; of another search nothing goes on.
      const planned = await started([...commands[here] ?? [], "plan", nested, "--folds", "2", "--json"]);
      assert.equal(planned.code, 0, planned.output);
      const { steps, crossvalidate } = JSON.parse(planned.output);
      assert.deepEqual([steps, crossvalidate.runs, crossvalidate.steps], [4, 8, 32]);
      const again = ["crossvalidate", nested, "--folds", "2", "--stratify", "label", "--output", output, "--resume"];
      assert.equal(await main([...again, "--set", "search.with.metric=accuracy"]), 3);
      assert.equal(await main(again), 0);
    },
  );
  some("what waits for evaluations is judged by a fold of the training rows, too", async () => {
    const best = { ...shared.training, loadBestModelAtEnd: true, saveSteps: 2 };
    const output = at("apart");
    const grouped = films.map((row, i) => ({ ...row, by: `person ${i % 3}` }));
    const apart = written("apart", { task, data: { train: memory(grouped) }, search, training: best });
    assert.equal(await main(["crossvalidate", apart, "--folds", "3", "--group", "by", "--output", output]), 0);
    const { data } = json(output, "folds/fold-0/spec.json");
    assert.deepEqual([data.eval.with.source.with.part, data.test.with.part], ["train", "test"]);
    // As many groups as folds leave one fewer within each.
    assert.equal(data.eval.with.folds, 2);
  });
  some("a figure that the search does not have, or no search, is said before anything is written", async () => {
    const other = { ...search, with: { ...search.with, metric: "acuracy" } };
    const wrong = written("wrong", { task, data: { train: memory(films) }, search: other });
    assert.equal(await main(["crossvalidate", wrong, "--folds", "2", "--output", at("none")]), 2);
    const unjudged = written("unjudged", { task, data: { train: memory(films) } });
    assert.equal(await main(["crossvalidate", unjudged, "--folds", "2", "--output", at("none")]), 2);
  });
});

describe("what folds keep of a spec", () => {
  some("the threshold of leaks, and numbers of classes that one of the folds lacks", async () => {
    const numbered = films.map(({ text }, i) => ({ text, label: i === 17 ? 2 : i % 2 }));
    const plain = { ...shared.training, evalStrategy: "no" };
    const own = written("numbered", {
      task: "sequence-classification",
      data: { train: memory(numbered), eval: memory(numbered.slice(0, 1)), leakThreshold: 1 },
      training: plain,
    });
    assert.equal(await main(["crossvalidate", own, "--folds", "3", "--output", at("numbered")]), 0);
    const { data, task } = json(at("numbered"), "folds/fold-0/spec.json");
    assert.deepEqual([data.leakThreshold, task.with.labels], [1, ["0", "1", "2"]]);
  });
});

describe("attune run --predictions", () => {
  some("writes each row of the reported split as the trained model answers it", async () => {
    const by = { use: "by-group", with: { metric: "accuracy", column: "region" } };
    const rows = films.map((row, i) => ({ ...row, region: ["n", "s"][i % 2] ?? "" }));
    const data = {
      train: memory(films),
      eval: memory(rows.slice(0, 3)),
      test: memory(rows.slice(0, 7)),
      leakThreshold: 1,
    };
    const own = written("answers", { task: "sequence-classification", data, metrics: ["accuracy", by] });
    assert.equal(await main(["run", own, "--predictions", "--output", at("answers")]), 0);
    const lines = linesOf(at("answers"), "predictions.jsonl");
    assert.deepEqual(
      lines.map(({ row, label, groups }) => ({ row, label, groups })),
      rows.slice(0, 7).map(({ label, region }, row) => ({ row, label, groups: { region } })),
    );
    const { accuracy, split } = json(at("answers"), "metrics.json");
    assert.equal(split, "test");
    assert.ok(Math.abs(accuracy - lines.filter(({ label, prediction }) => label === prediction).length / 7) < 1e-12);
    // A comparison reads it in place of the model.
    assert.equal(await main(["evaluate", at("answers"), "--compare", at("answers"), "--json"]), 0);
  });
});
