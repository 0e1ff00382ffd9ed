/**
 * Doubted labels of a spec's training rows: each is judged by a model that was trained on the other folds.
 * @module
 */
import { unsupported } from "../../core/errors.ts";
import { openTasks } from "../../core/run/open.ts";
import { setAt } from "../../core/spec_paths.ts";
import type { Host, Json, Named, Store } from "../../core/types.ts";
import { composed } from "../host/plugin_packages.ts";
import { runFolds } from "../study/run_folds.ts";
import type { Runs } from "../study/runs.ts";
import { confidentCounts, type LabelIssue, labelIssues, labelScores, rankedIssues } from "./label_issues.ts";
import { shortened } from "./passing.ts";

/** What is judged: rows as they are trained on, in a file of JSON lines, and where the folds' runs go. */
export type LabelFoldsOptions = Readonly<{
  spec: Named<Json>;
  rows: string;
  store: Store;
  runs: Runs;
  host: Host;
  signal: AbortSignal;
  tell: (text: string) => void;
}>;

const FOLDS = 5;

/** Rows whose labels are likely wrong, the least trusted first. Throws AttuneError where the task has no classes of rows. */
export async function doubtedLabels(options: LabelFoldsOptions): Promise<readonly LabelIssue[]> {
  const { rows, host, store, runs, signal, tell } = options;
  const train: Json = { use: "jsonl", with: { path: rows } };
  const spec = { ...options.spec, data: { train, leakThreshold: 1 } };
  const [open] = await openTasks(await composed(spec), host);
  const { labels } = open?.task ?? {};
  if (!labels || open?.run.task.name !== "sequence-classification") {
    throw unsupported(
      "data",
      "--labels",
      open?.run.task.name,
      "labels of whole rows are judged, of sequence-classification",
    );
  }
  const named = setAt(spec, "task.with.labels", [...labels]);
  const metrics = await runFolds({
    spec: named,
    run: await composed(named),
    division: { folds: FOLDS, repeats: 1, stratify: null, group: null, seed: 42 },
    ...{ store, runs, host, signal, parallel: 1 },
    tell: ({ number, metrics: { accuracy } }) =>
      tell(`fold ${number + 1} of ${FOLDS}${accuracy === undefined ? "" : `  accuracy ${accuracy.toPrecision(4)}`}`),
  });
  if (!metrics) return [];
  return await issuesIn(
    await linesOf(store, "predictions.jsonl"),
    labels,
    host,
    rows,
    open.collator.columns?.texts,
    tell,
  );
}

/** What a row says: the columns of its task, or all. */
function textIn(row: Named<Json>, columns: readonly string[] = Object.keys(row)): string {
  return columns.flatMap((name) => (row[name] === undefined ? [] : [String(row[name])])).join(" ");
}

type Prediction = Readonly<{ row: number | null; label: Json; scores?: readonly number[] }>;

async function linesOf(store: Store, key: string): Promise<readonly Prediction[]> {
  const file = await store.get(key);
  const text = new TextDecoder().decode(file?.bytes ?? new Uint8Array());
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as Prediction);
}

async function issuesIn(
  predictions: readonly Prediction[],
  labels: readonly string[],
  host: Host,
  path: string,
  columns: readonly string[] | undefined,
  tell: (text: string) => void,
): Promise<readonly LabelIssue[]> {
  const known = predictions.filter(({ row, scores }) => row !== null && scores?.length === labels.length);
  const rows = {
    labels: known.map(({ label }) => labels.indexOf(String(label))),
    probabilities: known.map(({ scores = [] }) => scores),
  };
  const scores = labelScores(rows);
  const right = confidentCounts(rows).calibrated.reduce((sum, row, k) => sum + (row[k] ?? 0), 0);
  tell(
    `about ${
      (100 * (1 - right / Math.max(1, known.length))).toFixed(1)
    } % of the labels are wrong, as far as the folds can tell`,
  );
  const cut = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1;
  const file = await host.directory?.(path.slice(0, cut)).get(path.slice(cut));
  const lines = new TextDecoder().decode(file?.bytes ?? new Uint8Array()).split("\n");
  return rankedIssues(rows, labelIssues(rows)).map((i) => {
    const own = rows.probabilities[i] ?? [];
    const row = known[i]?.row ?? 0;
    return {
      row,
      given: labels[rows.labels[i] ?? -1] ?? "",
      suggested: labels[own.indexOf(Math.max(...own))] ?? "",
      score: scores[i] ?? 0,
      text: shortened(textIn(JSON.parse(lines[row] ?? "{}"), columns), 120),
    };
  });
}
