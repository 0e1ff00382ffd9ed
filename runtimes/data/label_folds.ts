/** Doubtful labels of a spec's training rows: each label is judged by a model that was trained on the other folds. */
import { unsupported } from "../../core/base/errors.ts";
import { setAt } from "../../core/spec/spec_paths.ts";
import { type OpenRun, openTasks } from "../../core/run/open/open.ts";
import type { Host, Json, Named, SplitName, Store } from "../../core/types.ts";
import { composed } from "../host/plugin_packages.ts";
import { runFolds } from "../study/run_folds.ts";
import type { Runs } from "../study/runs.ts";
import {
  confidentCounts,
  type LabelIssue,
  labelIssues,
  type LabelledProbabilities,
  labelScores,
  rankedIssues,
} from "./label_issues.ts";
import { shortened } from "./limited_rows.ts";

/** What is judged: rows as they are trained on, in a file of JSON lines; and where the folds' runs are written. */
export type LabelFoldsOptions = Readonly<{
  spec: Named<Json>;
  rows: string;
  store: Store;
  runs: Runs;
  host: Host;
  signal: AbortSignal;
  report: (text: string) => void;
}>;

const FOLDS = 5;

/** Finds rows whose labels are likely wrong, least trusted first. Throws AttuneError if rows have no classes. */
export async function doubtedLabels(options: LabelFoldsOptions): Promise<readonly LabelIssue[]> {
  const { rows, host, store, runs, signal, report } = options;
  const train: Json = { use: "jsonl", with: { path: rows } };
  const spec = { ...options.spec, data: { train, leakThreshold: 1 } };
  const [open] = await openTasks(await composed(spec), host);
  const labels = classesOf(open);
  const named = setAt(spec, "task.with.labels", [...labels]);
  const metrics = await runFolds({
    spec: named,
    run: await composed(named),
    division: { folds: FOLDS, repeats: 1, stratify: null, group: null, seed: 42 },
    ...{ store, runs, host, signal, parallel: 1 },
    report: ({ number, metrics: { accuracy } }) =>
      report(`fold ${number + 1} of ${FOLDS}${accuracy === undefined ? "" : `  accuracy ${accuracy.toPrecision(4)}`}`),
  });
  if (!metrics) return [];
  const known = (await linesOf(store, "predictions.jsonl"))
    .filter(({ row, scores }) => row !== null && scores?.length === labels.length);
  const judged: JudgedRows = {
    numbers: known.map(({ row }) => row ?? 0),
    labels: known.map(({ label }) => labels.indexOf(String(label))),
    probabilities: known.map(({ scores = [] }) => scores),
    path: rows,
  };
  return await issuesIn(judged, labels, { host, columns: open?.collator.columns?.texts, split: "train", report });
}

/** Returns the classes of a task whose labels can be judged. Throws AttuneError if it has no labels of whole rows. */
export function classesOf(open: OpenRun | undefined): readonly string[] {
  const { labels } = open?.task ?? {};
  if (labels && open?.run.task.name === "sequence-classification" && open.run.task.options) {
    const { problemType } = open.run.task.options as Readonly<{ problemType?: unknown }>;
    if (problemType !== "multi-label" && problemType !== "regression") return labels;
  }
  throw unsupported("data", "--labels", open?.run.task.name, "only labels of sequence-classification can be judged");
}

/** Returns the text of a row: the columns of its task, or all. */
function textIn(row: Named<Json>, columns: readonly string[] = Object.keys(row)): string {
  return columns.flatMap((name) => (row[name] === undefined ? [] : [String(row[name])])).join(" ");
}

type Prediction = Readonly<{ row: number | null; label: Json; scores?: readonly number[] }>;

async function linesOf(store: Store, key: string): Promise<readonly Prediction[]> {
  const file = await store.get(key);
  const text = new TextDecoder().decode(file?.bytes ?? new Uint8Array());
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as Prediction);
}

/** Rows to be judged: their numbers, labels and probabilities, and the file of JSON lines that contains them. */
export type JudgedRows = LabelledProbabilities & Readonly<{ numbers: readonly number[]; path: string }>;

/** Returns the rows with doubtful labels. `classes`: names of the labels; `columns`: columns of a row to show. */
export async function issuesIn(
  rows: JudgedRows,
  classes: readonly string[],
  { host, columns, split, report }:
    & Pick<LabelFoldsOptions, "host" | "report">
    & Readonly<{ columns: readonly string[] | undefined; split: SplitName }>,
): Promise<readonly LabelIssue[]> {
  const { numbers, path, labels, probabilities } = rows;
  const scores = labelScores(rows);
  const right = confidentCounts(rows).calibrated.reduce((sum, row, k) => sum + (row[k] ?? 0), 0);
  const wrong = 100 * (1 - right / Math.max(1, labels.length));
  report(`an estimated ${wrong.toFixed(1)} % of the labels of ${split} are wrong`);
  const cut = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1;
  const file = await host.directory?.(path.slice(0, cut)).get(path.slice(cut));
  const lines = new TextDecoder().decode(file?.bytes ?? new Uint8Array()).split("\n");
  return rankedIssues(rows, labelIssues(rows)).map((i) => {
    const predicted = probabilities[i] ?? [];
    const row = numbers[i] ?? 0;
    return {
      split,
      row,
      given: classes[labels[i] ?? -1] ?? "",
      suggested: classes[predicted.indexOf(Math.max(...predicted))] ?? "",
      score: scores[i] ?? 0,
      text: shortened(textIn(JSON.parse(lines[row] ?? "{}"), columns), 120),
    };
  });
}
