import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { AttuneError } from "../../core/base/errors.ts";
import { correctedInterval } from "../../core/statistics/corrected_interval.ts";
import { compose } from "../../core/spec/compose.ts";
import type { Json, Named, RunSpec, Search, TrainingEvent } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { type FoldFigure, foldMetrics, type FoldResult } from "../../runtimes/study/fold_figures.ts";
import { joinPredictions } from "../../runtimes/study/fold_predictions.ts";
import { memory } from "../../plugins/stores/memory.ts";
import { runStudy } from "../../runtimes/study/run_study.ts";
import type { Runs } from "../../runtimes/study/runs.ts";
import { memoryKills } from "../../runtimes/study/memory_kills.ts";
import { type StudyFiles, trialFolder, type TrialLine, type TrialStart } from "../../runtimes/study/study_files.ts";
import { hostHere } from "../../runtimes/host/train.ts";
import { tinySpec } from "../tiny.ts";

/** A run that is evaluated once and ends, whether it has heard that it is to end or not. */
function runsThat(end: (aborted: boolean) => "done" | "interrupted" | "diverged"): Runs {
  return {
    run: async (spec, _folder, { see, signal }) => {
      const at = { step: 3, epoch: 0 };
      see({ type: "start", ...at, step: 0, totalSteps: 12 } as TrainingEvent);
      const { learningRate = 0 } = spec.training as Named<number>;
      see({ type: "evaluate", ...at, metrics: { loss: learningRate }, best: false });
      return { type: "end", reason: end(signal.aborted), ...at, metrics: { loss: 0 } };
    },
    close: async () => {},
  };
}

/** Searches three learning rates; gives the trials that ended, and writes them to `written`. */
async function searched(
  runs: Runs,
  written: TrialLine[] = [],
  pruner: Json = "none",
  more: Partial<StudyFiles> = {},
): Promise<readonly TrialLine[]> {
  const space = { "training.learningRate": { type: "categorical", choices: [1e-4, 1e-3, 1e-2] } };
  const search = { use: "grid", with: { metric: "loss", space, pruner } };
  const spec = { ...tinySpec(), search: search as unknown as Json } as Named<Json>;
  const run = compose(spec as unknown as RunSpec, catalog);
  const cleared: number[] = [];
  const files: StudyFiles = {
    trials: async () => [],
    add: async (trial) => void written.push(trial),
    started: async () => undefined,
    recordStart: async () => {},
    clear: async (number) => void cleared.push(number),
    report: async () => {},
    logged: async () => [],
    ...more,
  };
  const trials = await runStudy({
    ...{ name: "tiny", search: run.search as Search, direction: "minimize", spec, files, runs },
    ...{ signal: new AbortController().signal, isOver: () => false, report: () => {} },
  });
  assert.deepEqual(cleared, [0, 1, 2]);
  return trials;
}

/** Runs of which those of some rates throw. */
function runsThatThrow(error: Error, rates: readonly number[]): Runs {
  const { run, close } = runsThat(() => "done");
  return {
    run: (spec, folder, options) => {
      const { learningRate = 0 } = spec.training as Named<number>;
      return rates.includes(learningRate) ? Promise.reject(error) : run(spec, folder, options);
    },
    close,
  };
}

it("a trial whose options do not work has failed, the first one too, and all of them", async () => {
  const noMatch = new AttuneError("No module matches", { code: "NO_MATCH", plugin: "lora" });
  const memory = new Error("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : std::bad_alloc");
  for (const error of [noMatch, memory]) {
    const trials = await searched(runsThatThrow(error, [1e-4]));
    assert.deepEqual(trials.map(({ state }) => state), ["failed", "complete", "complete"]);
    assert.equal(trials[0]?.message, error instanceof AttuneError ? error.sentence : error.message);
  }
  const all = await searched(runsThatThrow(memory, [1e-4, 1e-3, 1e-2]));
  assert.deepEqual(all.map(({ state }) => state), ["failed", "failed", "failed"]);
});

it("a trial whose process was killed for want of memory is tried alone, and has failed behind some kills", async () => {
  const notes = new Map<string, TrialStart>();
  const files = {
    started: async (number: number) => notes.get(trialFolder(number)),
    recordStart: async (folder: string, start: TrialStart) => void notes.set(folder, start),
  };
  const [folder, params] = [trialFolder(1), { "training.learningRate": 1e-3 }];
  const with_ = async (kills: number, killsHere: number | undefined, now: number | undefined): Promise<string> => {
    notes.set(folder, { number: 1, params, kills, killsHere });
    const trials = await searched({ ...runsThat(() => "done"), memoryKills: () => now }, [], "none", files);
    return `${trials[1]?.state} ${notes.get(folder)?.kills} ${trials[1]?.message ?? ""}`;
  };
  assert.equal(await with_(0, 4, 5), "complete 1 ");
  assert.equal(await with_(2, 4, 4), "complete 2 ", "it was not killed");
  assert.equal(await with_(2, undefined, 5), "complete 2 ", "it was stopped in peace");
  assert.equal(await with_(2, 4, undefined), "complete 2 ", "nobody counts kills");
  assert.match(await with_(2, 4, 5), /^failed 2 the system killed its process for lack of memory, 3 times/);
  const file = join(mkdtempSync(join(tmpdir(), "attune-kills-")), "vmstat");
  writeFileSync(file, "pgfault 3\noom_kill 7\noom_kill_other 9\n");
  assert.deepEqual([memoryKills([file, `${file}.none`]), memoryKills([`${file}.none`])], [7, undefined]);
});

it("a trial whose loss is no number has failed, whatever share of its answers seems right", async () => {
  const { run, close } = runsThat(() => "done");
  const judged: Runs = {
    run: async (spec, folder, options) => {
      const end = await run(spec, folder, options);
      const { learningRate } = spec.training as Named<number>;
      return learningRate === 1e-3 ? { ...end, metrics: { loss: NaN, accuracy: 0.9 } } : end;
    },
    close,
  };
  const trials = await searched(judged);
  assert.deepEqual(trials.map(({ state }) => state), ["complete", "failed", "complete"]);
  assert.equal(trials[1]?.message, "its loss is not a number");
});

it("what is wrong with trials whatever their options is said, not tried again and again", async () => {
  const leaks = new AttuneError("4 of 240 rows of eval are also in train", { code: "REFUSED", plugin: "data" });
  const written: TrialLine[] = [];
  await assert.rejects(searched(runsThatThrow(leaks, [1e-4, 1e-3, 1e-2]), written), leaks);
  assert.deepEqual(written.map(({ state }) => state), ["failed"]);
  for (const [code, plugin] of [["NON_FINITE", "engine"], ["REFUSED", "plan"]] as const) {
    const own = new AttuneError("no", { code, plugin });
    const all = await searched(runsThatThrow(own, [1e-4, 1e-3, 1e-2]));
    assert.deepEqual(all.map(({ state }) => state), ["failed", "failed", "failed"]);
  }
});

it("a disk that is full, or a server that is away, is no trial's fault: nothing is written of the trial", async () => {
  for (const code of ["DISK_FULL", "STORE", "USAGE", "UNREACHABLE"]) {
    const written: TrialLine[] = [];
    await assert.rejects(searched(runsThatThrow(new AttuneError("no", { code }), [1e-3]), written), { code });
    assert.deepEqual(written.map(({ number, state }) => [number, state]), [[0, "complete"]]);
  }
});

it("a figure that is no number in a fold is null there, and its mean that of the others", () => {
  const fold = (number: number, metrics: Named<number>): FoldResult => ({
    ...{ number, fold: number, repeat: 0, trainRows: 20, testRows: 10 },
    metrics,
  });
  const found = foldMetrics(
    [fold(0, { loss: 1, auc: NaN }), fold(1, { loss: 2, auc: 0.5, f1: 0.1 }), fold(2, { loss: 3, auc: 0.7 })],
    [""],
    () => new Int32Array(),
  ) as Named<FoldFigure>;
  assert.deepEqual(found.auc?.folds, [null, 0.5, 0.7]);
  assert.equal(found.auc?.mean, 0.6);
  const { low, high } = correctedInterval({ values: [0.5, 0.7], trainRows: 20, testRows: 10 });
  assert.deepEqual(found.auc?.interval, [low, high]);
  assert.deepEqual(found.f1, { mean: 0.1, interval: null, folds: [null, 0.1, null] });
});

it("out-of-fold answers are in the order of the rows, several of a row one behind the other", async () => {
  const store = await memory().open(await hostHere(1));
  const fold = (number: number) => ({ number, fold: number, repeat: 0 });
  const put = async (number: number, rows: readonly number[]): Promise<void> => {
    const lines = rows.map((row, i) => `${JSON.stringify({ row, label: `${number}.${i}` })}\n`).join("");
    await store.put(`fold-${number}/predictions.jsonl`, new TextEncoder().encode(lines));
  };
  await put(0, [0, 1, 1, 2]);
  await put(1, [0, 1]);
  const rows = { 0: [1, 3, 4], 1: [0, 2, 5] } as Named<readonly number[]>;
  const places = (_: string, one?: { number: number }) => Int32Array.from(rows[one?.number ?? 0] ?? []);
  // Of the second fold transforms have dropped the row in the middle.
  const placesOf = async (_: string, { number }: { number: number }) => (number === 1 ? [0, 2] : undefined);
  await joinPredictions(store, [fold(0), fold(1)], "", { places, placesOf });
  const file = new TextDecoder().decode((await store.get("predictions.jsonl"))?.bytes);
  const found = file.trimEnd().split("\n").map((line) => JSON.parse(line)).map(({ row, label }) => `${row}: ${label}`);
  assert.deepEqual(found, ["0: 1.0", "1: 0.0", "3: 0.1", "3: 0.2", "4: 0.3", "5: 1.1"]);
  await store.delete("fold-1/predictions.jsonl");
  await assert.rejects(
    joinPredictions(store, [fold(0), fold(1)], "", { places, placesOf }),
    /fold-1\/predictions\.jsonl/,
  );
});

it("a trial that is pruned is pruned, whenever its run hears of it", async () => {
  const pruner = { use: "median", with: { startupTrials: 1 } };
  const study = async (end: (aborted: boolean) => "done" | "interrupted" | "diverged"): Promise<string[]> => {
    const trials = await searched(runsThat(end), [], pruner);
    return trials.map(({ state, value }) => `${state} ${value}`);
  };
  const due = ["complete 0", "pruned 0.001", "pruned 0.01"];
  assert.deepEqual(await study((aborted) => (aborted ? "interrupted" : "done")), due);
  assert.deepEqual(await study(() => "done"), due);
  assert.deepEqual(await study((aborted) => (aborted ? "diverged" : "done")), due);
});
