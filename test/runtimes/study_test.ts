import assert from "node:assert/strict";
import { it } from "node:test";
import { compose } from "../../core/spec/compose.ts";
import type { Json, Named, RunSpec, Search, TrainingEvent } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { runStudy } from "../../runtimes/study/run_study.ts";
import type { Runs } from "../../runtimes/study/runs.ts";
import type { StudyFiles, TrialLine } from "../../runtimes/study/study_files.ts";
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

it("a trial that is pruned is pruned, whenever its run hears of it", async () => {
  const space = { "training.learningRate": { type: "categorical", choices: [1e-4, 1e-3, 1e-2] } };
  const search = {
    use: "grid",
    with: { metric: "loss", space, pruner: { use: "median", with: { startupTrials: 1 } } },
  };
  const spec = { ...tinySpec(), search: search as unknown as Json } as Named<Json>;
  const run = compose(spec as unknown as RunSpec, catalog);
  const study = async (end: (aborted: boolean) => "done" | "interrupted" | "diverged"): Promise<string[]> => {
    const cleared: number[] = [];
    const files: StudyFiles = {
      trials: async () => [],
      add: async () => {},
      params: async () => undefined,
      note: async () => {},
      clear: async (number) => void cleared.push(number),
      report: async () => {},
      logged: async () => [],
    };
    const trials: readonly TrialLine[] = await runStudy({
      ...{ name: "tiny", search: run.search as Search, direction: "minimize", spec, files, runs: runsThat(end) },
      ...{ signal: new AbortController().signal, isOver: () => false, tell: () => {} },
    });
    assert.deepEqual(cleared, [0, 1, 2]);
    return trials.map(({ state, value }) => `${state} ${value}`);
  };
  const due = ["complete 0", "pruned 0.001", "pruned 0.01"];
  assert.deepEqual(await study((aborted) => (aborted ? "interrupted" : "done")), due);
  assert.deepEqual(await study(() => "done"), due);
  assert.deepEqual(await study((aborted) => (aborted ? "diverged" : "done")), due);
});
