/** Thresholds per group, tuned on some rows, and their effect on other rows. */
import { badValue, missing, unsupported } from "../base/errors.ts";
import type { OpenRun } from "../run/open/open.ts";
import { createReservoir } from "../run/evaluate/drawn_rows.ts";
import type { Dataset, Json, Named } from "../types.ts";
import { evaluateRows } from "./evaluate_rows.ts";
import { type Constraint, positiveShare, type ScoredRow, type ThresholdRule, tuneThresholds } from "./thresholds.ts";

/** Measures of decisions: the share of right ones, and the gaps between groups. */
type Effect = Readonly<
  { accuracy: number; selectionRateGap: number; truePositiveRateGap: number; falsePositiveRateGap: number }
>;

/** The constraints for which thresholds are tuned. */
const CONSTRAINTS: readonly Constraint[] = ["demographic_parity", "equalized_odds"];

/**
 * Returns the rules for each group of a column, tuned on the run's eval rows, and their effect on the `evaluated` rows:
 * `mixture` is the randomized rule; `rounded` always uses the likelier of its two thresholds, which leaves a gap.
 *
 * @throws AttuneError if the task does not have two classes with scores, or rows lack the column.
 */
export async function thresholdEffect(
  open: OpenRun,
  column: string,
  evaluated: Dataset,
  what: Readonly<{ shownOn: string }>,
): Promise<Named<Json>> {
  const { labels = [] } = open.task;
  if (labels.length !== 2) {
    throw unsupported(
      "evaluate",
      "--thresholds",
      column,
      `a threshold needs two classes, and there are ${labels.length}`,
    );
  }
  if (!open.data.eval) throw missing("evaluate", "rows to tune thresholds on", "data.eval of the spec");
  const tuned = await scoredRows(open, column, open.data.eval);
  const rows = open.data.eval === evaluated ? tuned : await scoredRows(open, column, evaluated);
  const effects = CONSTRAINTS.map((constraint): [string, Json] => {
    const { rules, x, y } = tuneThresholds(tuned, constraint);
    const share = (row: ScoredRow, of: (rule: ThresholdRule) => ThresholdRule): number => {
      const rule = rules[row.group];
      if (rule) return positiveShare(of(rule), row.score);
      throw missing("evaluate", `rows of the group "${row.group}"`, "the rows that thresholds were tuned on");
    };
    return [constraint, {
      groups: Object.fromEntries(Object.entries(rules).map(([name, rule]) => [name, shownRule(rule)])),
      rate: x,
      objective: y,
      before: effectOf(rows, ({ score }) => Number(score > 0.5)),
      mixture: effectOf(rows, (row) => share(row, (rule) => rule)),
      rounded: effectOf(rows, (row) => share(row, rounded)),
    }];
  });
  return {
    column,
    positive: labels[1] ?? "",
    tunedOn: `eval, ${tuned.length} rows`,
    ...what,
    ...Object.fromEntries(effects),
  };
}

/** Returns a rule with only the likelier of its two thresholds. */
function rounded(rule: ThresholdRule): ThresholdRule {
  const first = rule.p0 > rule.p1;
  const constant = rule.predictionConstant > 0.5 ? 1 : 0;
  return {
    ...rule,
    p0: Number(first),
    p1: Number(!first),
    pIgnore: rule.pIgnore > 0.5 ? 1 : 0,
    predictionConstant: constant,
  };
}

/** Returns a rule as JSON; infinite thresholds, which JSON lacks, become "above all" and "below all". */
function shownRule({ p0, threshold0, p1, threshold1, pIgnore, predictionConstant }: ThresholdRule): Json {
  const showThreshold = (
    threshold: number,
  ): Json => (Number.isFinite(threshold) ? threshold : threshold > 0 ? "above all" : "below all");
  const likelier = p0 > p1 ? threshold0 : threshold1;
  return {
    threshold: showThreshold(likelier),
    p0,
    threshold0: showThreshold(threshold0),
    p1,
    threshold1: showThreshold(threshold1),
    ...(pIgnore > 0 ? { pIgnore, predictionConstant } : {}),
  };
}

/** Maximum number of rows for tuning and for evaluating thresholds; of more rows, a random sample is used. */
const ROWS = 2 ** 18;

async function scoredRows(open: OpenRun, column: string, data: Dataset): Promise<readonly ScoredRow[]> {
  const rows = createReservoir<ScoredRow>(ROWS, open.run.training.seed);
  await evaluateRows({ ...open, metrics: [] }, data, {
    columns: [column],
    answered: ({ row, reference, scores }, columns) => {
      const group = columns[column];
      if (group === undefined || group === null) {
        throw missing("evaluate", `a value of the column "${column}"`, `row ${row}`);
      }
      // A single score is that of the second class.
      const score = scores?.at(-1);
      if (score === undefined) {
        throw unsupported("evaluate", "--thresholds", column, "the task computes no class scores");
      }
      if (!Number.isFinite(score)) {
        throw badValue(
          "evaluate",
          `the score of row ${row}`,
          score,
          "a number, on which side of a threshold it may be",
        );
      }
      rows.add({ group: String(group), score, label: reference === open.task.labels?.[1] ? 1 : 0 });
    },
  });
  return rows.items();
}

function effectOf(rows: readonly ScoredRow[], share: (row: ScoredRow) => number): Effect {
  const groups = new Map<string, { n: number; selected: number; positives: number; right: number; wrong: number }>();
  let correct = 0;
  for (const row of rows) {
    const p = share(row);
    const group = groups.get(row.group) ?? { n: 0, selected: 0, positives: 0, right: 0, wrong: 0 };
    group.n++;
    group.selected += p;
    group.positives += row.label;
    if (row.label === 1) group.right += p;
    else group.wrong += p;
    correct += row.label === 1 ? p : 1 - p;
    groups.set(row.group, group);
  }
  const all = [...groups.values()];
  const gap = (rate: (group: typeof all[number]) => readonly [part: number, whole: number]): number => {
    // 0/0 is 0, as in the metrics of fairness.
    const values = all.map((group) => rate(group)).map(([part, count]) => (count === 0 ? 0 : part / count));
    return Math.max(...values) - Math.min(...values);
  };
  return {
    accuracy: rows.length === 0 ? 0 : correct / rows.length,
    selectionRateGap: gap(({ selected, n }) => [selected, n]),
    truePositiveRateGap: gap(({ right, positives }) => [right, positives]),
    falsePositiveRateGap: gap(({ wrong, n, positives }) => [wrong, n - positives]),
  };
}
