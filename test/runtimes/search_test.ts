import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { createRandom } from "../../core/math/random.ts";
import type { Json, Named } from "../../core/types.ts";
import { main } from "../../runtimes/cli/main.ts";
import { commands, type Ended, here, killableRun, started } from "../faults/killed_runs.ts";
import { itInPart } from "../sampled.ts";

/** What the search itself makes of options is the same everywhere; that it outlives kills is the runtime's matter, too. */
const some = itInPart();

const space = {
  "training.learningRate": { type: "float", low: 1e-4, high: 1e-1, log: true },
  "adapter.with.r": { type: "int", low: 1, high: 4 },
  "optimizer.use": { type: "categorical", choices: ["adamw", "lion"] },
  "optimizer.with.beta1": { type: "float", low: 0.5, high: 0.99, when: { "optimizer.use": "lion" } },
};
const search = {
  use: "tpe",
  with: { trials: 8, startupTrials: 4, metric: "loss", pruner: { use: "median", with: { startupTrials: 2 } }, space },
};
const { folder, spec } = killableRun({
  callbacks: [],
  loggers: [],
  search: search as unknown as Json,
  training: { maxSteps: 12, evalSteps: 3, saveSteps: 2, gradientAccumulationSteps: 1, loadBestModelAtEnd: false },
});
const at = (name: string): string => join(folder, name);
const linesOf = (output: string): Named<Json>[] =>
  readFileSync(join(output, "search/trials.jsonl"), "utf8").trimEnd().split("\n").map((line) => JSON.parse(line))
    .sort((a, b) => a.number - b.number);

/** Another spec beside the first one. */
function changed(name: string, change: Named<Json>): string {
  const file = at(`${name}.json`);
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(spec, "utf8")), ...change }));
  return file;
}

/** Runs a command in this process; what it says on standard error is its output. */
async function said(...args: string[]): Promise<Ended> {
  const { write } = process.stderr;
  let output = "";
  process.stderr.write = (text) => ((output += String(text)), true);
  try {
    const code = await main(args);
    return { code, signal: null, output };
  } finally {
    process.stderr.write = write;
  }
}

describe("attune search", () => {
  const whole = at("whole");
  it("makes its trials, ends bad ones early, and trains the best once more as it was", async () => {
    assert.equal(await main(["search", spec, "--output", whole]), 0);
    const trials = linesOf(whole);
    assert.deepEqual(trials.map(({ number }) => number), [0, 1, 2, 3, 4, 5, 6, 7]);
    const states = trials.map(({ state }) => state);
    assert.ok(states.includes("complete") && states.includes("pruned"), states.join());
    for (const { params, state, values, value, run } of trials as { [key: string]: never }[]) {
      const one = JSON.parse(readFileSync(join(whole, "search", run ?? "", "spec.json"), "utf8"));
      assert.equal(one.training.learningRate, params?.["training.learningRate"]);
      assert.equal(one.adapter[0].with.r, params?.["adapter.with.r"]);
      assert.equal(one.optimizer.use, params?.["optimizer.use"]);
      assert.equal("optimizer.with.beta1" in (params ?? {}), one.optimizer.use === "lion");
      assert.equal(one.search, undefined);
      const reported = values as unknown as [number, number][];
      if (state === "complete") {
        const metrics = JSON.parse(readFileSync(join(whole, "search", run ?? "", "metrics.json"), "utf8"));
        assert.equal(value, metrics.loss);
        assert.deepEqual(reported.map(([step]) => step), [3, 6, 9, 12]);
      } else assert.ok(reported.length < 4 && value === reported.at(-1)?.[1], JSON.stringify(reported));
    }
    // What has ended has nothing to go on from; the winner is a run like any other.
    const withCheckpoints = readdirSync(join(whole, "search"), { recursive: true, encoding: "utf8" })
      .filter((name) => /checkpoints\/step-\d+$/.test(name.replaceAll("\\", "/"))).map((name) =>
        name.split(/[\\/]/)[0]
      );
    assert.deepEqual([...new Set(withCheckpoints)], ["best"]);
    const complete = trials.filter(({ state }) => state === "complete");
    const best = complete.reduce((a, b) => (Number(b.value) < Number(a.value) ? b : a));
    const weights = "adapter/adapter_model.safetensors";
    assert.deepEqual(
      readFileSync(join(whole, "search/best", weights)),
      readFileSync(join(whole, "search", String(best.run), weights)),
    );
    for (const name of ["metrics.json", "report.html", "log.jsonl"]) {
      assert.ok(existsSync(join(whole, "search/best", name)), name);
    }
    const page = readFileSync(join(whole, "search/report.html"), "utf8");
    for (const part of ["History", "Every complete trial", "adapter.with.r", "trials/0007"]) {
      assert.ok(page.includes(part), part);
    }
    assert.ok(!/<script|https?:\/\//.test(page), "it fetches and executes nothing");
    const { seed, sampler, direction } = JSON.parse(readFileSync(join(whole, "search/study.json"), "utf8"));
    assert.deepEqual([seed, sampler.use, direction], [42, "tpe", "minimize"]);
  });

  for (const parallel of [1, 2]) {
    it(`goes on with the same trials however often it is killed, ${parallel} at a time`, async () => {
      const [output, random] = [at(`killed-${parallel}`), createRandom(parallel)];
      const args = (to: string): string[] => [
        ...commands[here] ?? [],
        ...["search", spec, "--output", to, "--resume", "--json", "--parallel", String(parallel)],
      ];
      let hits = 0;
      for (let attempt = 0;; attempt++) {
        assert.ok(attempt < 20, "it does not come to its end");
        const after = hits < 3 ? Math.floor(4 * random.uniform(2 * attempt)) : Infinity;
        let count = 0;
        const ended = await started(args(output), (_, child) => {
          if (count++ === after) setTimeout(() => child.kill("SIGKILL"), 300 * random.uniform(2 * attempt + 1));
        });
        if (ended.signal !== null) hits++;
        else {
          assert.equal(ended.code, 0, ended.output);
          if (hits >= 2) break;
          // It had come to its end before this process got its turn to kill it: all over again.
          rmSync(output, { recursive: true });
          hits = 0;
        }
      }
      assert.ok(hits >= 2, `${hits} kills hit`);
      const other = parallel === 1 ? whole : at("whole-2");
      if (parallel > 1) assert.equal(await main(["search", spec, "--output", other, "--parallel", "2"]), 0);
      assert.deepEqual(linesOf(output), linesOf(other));
      for (const { run } of linesOf(output)) {
        assert.ok(!existsSync(join(output, "search", String(run), "checkpoints/latest")), `${run} has checkpoints`);
      }
      const weights = "search/best/adapter/adapter_model.safetensors";
      assert.deepEqual(readFileSync(join(output, weights)), readFileSync(join(other, weights)));
    });
  }

  some("makes more trials where it goes on with more, and refuses to go on as another search", async () => {
    const output = at("more");
    const some = changed("some", { search: { use: "random", with: { trials: 2, space } } as unknown as Json });
    assert.equal(await main(["search", some, "--output", output]), 0);
    const before = linesOf(output);
    assert.equal(await main(["search", some, "--output", output]), 2, "not empty");
    assert.equal(await main(["search", some, "--output", output, "--resume", "--trials", "3"]), 0);
    assert.deepEqual(linesOf(output).slice(0, 2), before);
    assert.equal(linesOf(output).length, 3);
    assert.equal(await main(["search", some, "--output", output, "--resume", "--set", "search.with.seed=1"]), 3);
    assert.equal(await main(["search", some, "--output", output, "--resume", "--set", "training.maxSteps=9"]), 3);
  });

  some("comes to another winner where it goes on with more trials", async () => {
    const output = at("other");
    const choices = [1e-5, 5e-2];
    const space = { "training.learningRate": { type: "categorical", choices } };
    const two = changed("two", { search: { use: "grid", with: { space } } as unknown as Json });
    for (const [trials, rate] of choices.entries()) {
      assert.equal(await main(["search", two, "--output", output, "--resume", "--trials", String(trials + 1)]), 0);
      const best = JSON.parse(readFileSync(join(output, "search/best/spec.json"), "utf8"));
      assert.equal(best.training.learningRate, rate);
    }
  });

  some("goes on over the same rows, and over files that are what it has written, alone", async () => {
    const output = at("files");
    const rows = at("rows.jsonl");
    const { data } = JSON.parse(readFileSync(spec, "utf8"));
    const lines: readonly Json[] = data.train.with.rows;
    const write = (some: readonly Json[]): void =>
      writeFileSync(rows, some.map((row) => `${JSON.stringify(row)}\n`).join(""));
    write(lines);
    const choices = [1e-3, 1e-2];
    const space = { "training.learningRate": { type: "categorical", choices } };
    const one = changed("files", {
      data: { ...data, train: rows, leakThreshold: 1 },
      search: { use: "grid", with: { trials: 1, space } } as unknown as Json,
    });
    const on = (): Promise<Ended> => said("search", one, "--output", output, "--resume", "--trials", "2");
    assert.equal(await main(["search", one, "--output", output]), 0);
    write(lines.slice(1));
    const changedRows = await on();
    assert.equal(changedRows.code, 3, changedRows.output);
    assert.match(changedRows.output, /content\.train: was ".*", now "/);
    write(lines);
    const trials = join(output, "search/trials.jsonl");
    const whole = readFileSync(trials, "utf8");
    const [first] = linesOf(output);
    const wrong: [Named<Json>, RegExp][] = [
      [{ state: "done" }, /line 1: state: expected complete, pruned, failed but found "done"/],
      [{ value: "best" }, /line 1: value: expected a number but found "best"/],
      [{ number: -1 }, /line 1: number: expected a whole number but found -1/],
      [{ params: { "training.learningRate": 5 } }, /params\.training\.learningRate: 5 is not in the space/],
      [{ params: { "training.learningRat": 1e-3 } }, /params\.training\.learningRat: the search has no such option/],
      [{ values: [["x", 1]] }, /line 1: values: expected \[step, figure\] each/],
    ];
    for (const [change, message] of wrong) {
      writeFileSync(trials, `${JSON.stringify({ ...first, ...change })}\n`);
      const ended = await on();
      assert.equal(ended.code, 2, ended.output);
      assert.match(ended.output, message);
    }
    writeFileSync(trials, whole + whole);
    assert.match((await on()).output, /line 2: trial 0 is there twice/);
    writeFileSync(trials, whole);
    const note = join(output, "search/trials/0001.json");
    writeFileSync(note, "{");
    assert.match((await on()).output, /trials\/0001\.json: is not JSON/);
    writeFileSync(note, JSON.stringify({ number: 1, params: { "training.learningRate": 7 } }));
    assert.match((await on()).output, /trials\/0001\.json: params\.training\.learningRate: 7 is not in the space/);
    rmSync(note);
    assert.equal((await on()).code, 0);
  });

  some("says what is wrong before anything is written", async () => {
    const output = at("none");
    const wrong = async (name: string, change: Named<Json>): Promise<number> =>
      await main(["search", changed(name, change), "--output", output]);
    const of = (more: object): Named<Json> => ({
      search: { use: "tpe", with: { ...search.with, ...more } } as unknown as Json,
    });
    assert.equal(await wrong("no-search", { search: null }), 2);
    assert.equal(await wrong("no-metric", of({ metric: "acuracy" })), 2);
    assert.equal(await wrong("no-path", of({ space: { "adapter.with.rr": space["adapter.with.r"] } })), 2);
    assert.equal(await wrong("no-pruner", of({ pruner: "medina" })), 2);
    const { data } = JSON.parse(readFileSync(spec, "utf8"));
    const unmeasured = { data: { train: data.train }, training: { maxSteps: 2 } };
    assert.equal(await wrong("no-eval", unmeasured), 2);
    assert.equal(await main(["search", spec, "--output", output, "--dry-run"]), 0);
    assert.ok(!readdirSync(folder).includes("none"));
  });
});

some("no trial begins behind --timeout, and a pruner that nobody reports to is told of", async () => {
  const slow = changed("slow", { training: { maxSteps: 60 } });
  const args = ["search", slow, "--output", at("slow"), "--timeout", "1", "--trials", "1000"];
  const { code, output } = await started([...commands[here] ?? [], ...args]);
  assert.equal(code, 0, output);
  assert.match(output, /The pruner "median" ends no trial: training\.evalStrategy is "no"/);
  assert.ok(linesOf(at("slow")).length < 100, `${linesOf(at("slow")).length} trials`);
});

some("attune plan counts the whole of a search, and of folds where it is asked to", async () => {
  const plan = async (...args: string[]) => {
    const { code, output } = await started([...commands[here] ?? [], "plan", spec, "--json", ...args]);
    assert.equal(code, 0, output);
    return JSON.parse(output.slice(output.indexOf("{")));
  };
  const searched = await plan();
  assert.deepEqual([searched.steps, searched.search.runs, searched.search.steps], [12, 9, 108]);
  const folded = await plan("--folds", "3", "--repeats", "2");
  assert.deepEqual([folded.crossvalidate.runs, folded.crossvalidate.steps], [54, 648]);
});

some("the winner is reported on test rows, which no trial has measured, beside the spec as it was", async () => {
  const { data } = JSON.parse(readFileSync(spec, "utf8"));
  const tested = changed("tested", {
    data: { ...data, test: { use: "take", with: { source: data.train, limit: 20 } } },
    metrics: ["accuracy"],
    adapter: [{ use: "lora", with: { r: 3 } }],
    search: {
      use: "grid",
      with: { space: { "training.learningRate": { type: "categorical", choices: [1e-5, 5e-2] } } },
    },
    training: { maxSteps: 12, learningRate: 1e-5 },
  });
  const output = at("tested");
  const { code, output: said } = await started([
    ...commands[here] ?? [],
    ...["search", tested, "--output", output],
  ]);
  assert.equal(code, 0, said);
  assert.match(said, /^runs +4: 2 trials, the best once more, and the unchanged spec$/m);
  const file = (name: string) => JSON.parse(readFileSync(join(output, "search", name), "utf8"));
  const runs = ["trials/0000", "trials/0001", "best", "default"];
  const metrics = runs.map((run) => file(`${run}/metrics.json`));
  assert.deepEqual(metrics.map(({ split }) => split), [undefined, undefined, "test", "test"]);
  assert.deepEqual([file("default/spec.json"), file("best/spec.json")].map((s) => s.training.learningRate), [
    1e-5,
    5e-2,
  ]);
  const compared = file("comparison.json");
  assert.equal(compared.rows, 20);
  // Those that each run has said of itself, with an interval, and the difference between them with another.
  for (const [name, run] of [["best", metrics[2]], ["default", metrics[3]]]) {
    for (const key of ["loss", "accuracy"]) {
      assert.ok(Math.abs(compared[name][key] - run[key]) < 1e-6, `${name} ${key}`);
    }
    const [low, high] = compared[name].accuracy_interval;
    assert.ok(low <= compared[name].accuracy && compared[name].accuracy <= high && low < high);
  }
  for (const key of ["loss", "accuracy"]) {
    const { difference, difference_interval: [low, high] } = compared.difference[key];
    assert.ok(Math.abs(difference - (compared.best[key] - compared.default[key])) < 1e-7, `${key} ${difference}`);
    assert.ok(low <= difference && difference <= high);
  }
  const { mcnemar, p } = compared.difference.accuracy;
  assert.equal(p, mcnemar.exact);
  assert.match(said, /^accuracy +[\d.]+ \[[\d.]+, [\d.]+\] +[\d.]+ \[[\d.]+, [\d.]+\] +-?[\d.]+ \[.*\] +p [\d.]+$/m);
  const page = readFileSync(join(output, "search/report.html"), "utf8");
  for (const part of ["On test, rows that no trial saw", "Compared with the original spec", "on the 20 rows of test"]) {
    assert.ok(page.includes(part), part);
  }
});

it("a search without test rows says so, and compares nothing", async () => {
  const untested = changed("untested", {
    search: {
      use: "grid",
      with: { space: { "loss.with.labelSmoothing": { type: "categorical", choices: [0, 0.1] } } },
    },
    training: { maxSteps: 2 },
  });
  const output = at("untested");
  const set = ["--set", "collator.with.lowercase=true"];
  const ended = await started([...commands[here] ?? [], "search", untested, "--output", output, ...set]);
  assert.equal(ended.code, 0, ended.output);
  const { loss, collator } = JSON.parse(readFileSync(join(output, "search/trials/0001/spec.json"), "utf8"));
  assert.deepEqual([loss.use, loss.with.labelSmoothing, collator.with.lowercase], ["cross-entropy", 0.1, true]);
  assert.match(ended.output, /of eval, the rows that chose it \(add data\.test to measure on rows that it never saw\)/);
  assert.ok(!existsSync(join(output, "search/default")) && !existsSync(join(output, "search/comparison.json")));
  assert.match(readFileSync(join(output, "search/report.html"), "utf8"), /data\.test adds rows that no trial has seen/);
});
