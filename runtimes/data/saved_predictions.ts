/** Saved predictions of a run or a cross-validation, for rows that its models were not trained on. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { badFile, unsupported } from "../../core/base/errors.ts";
import type { Json, Row, SplitName } from "../../core/types.ts";

/** Scores of models for rows that they were not trained on: for each row the mean over its predictions. */
export type UnseenScores = Readonly<{ labels: readonly string[]; scores: readonly (readonly number[])[] }>;

/** Returns the file of predictions at a path: the file itself, or that of a run's or a cross-validation's folder. */
export function predictionsFile(path: string): string | undefined {
  if (!existsSync(path)) return undefined;
  if (!statSync(path).isDirectory()) return path;
  return ["folds/predictions.jsonl", "predictions.jsonl"].map((name) => join(path, name)).find((file) =>
    existsSync(file)
  );
}

type Line = Readonly<{ row?: unknown; label?: unknown; scores?: unknown }>;

/** Reads predictions of a task with these classes. Throws AttuneError if a line is invalid or lacks their scores. */
export function readScores(file: string, classes: readonly string[]): UnseenScores {
  const labels: string[] = [];
  const sums: { scores: number[]; times: number }[] = [];
  readFileSync(file, "utf8").split("\n").forEach((text, i) => {
    if (text === "") return;
    const where = `${file}, line ${i + 1}`;
    const { row, label, scores } = parsed(text, where);
    if (row === null) {
      const why =
        "its folds have transforms that drop rows, so rows cannot be matched: cross-validate what --write writes";
      throw unsupported("data", where, null, why);
    }
    const isScores = Array.isArray(scores) && scores.length === classes.length &&
      scores.every((score) => typeof score === "number" && score >= 0 && score <= 1);
    if (typeof row !== "number" || !Number.isInteger(row) || row < 0 || label === undefined || !isScores) {
      throw badFile("data", where, `lacks row, label or ${classes.length} scores from 0 to 1`);
    }
    const known = sums[row] ??= { scores: classes.map(() => 0), times: 0 };
    scores.forEach((score: number, k) => (known.scores[k] = (known.scores[k] ?? 0) + score));
    known.times++;
    labels[row] = nameOf(label, classes);
  });
  const gap = Array.from(sums).findIndex((sum) => sum === undefined);
  if (sums.length === 0 || gap >= 0) throw badFile("data", file, `has no prediction of row ${Math.max(0, gap)}`);
  return { labels, scores: sums.map(({ scores, times }) => scores.map((score) => score / times)) };
}

function parsed(text: string, where: string): Line {
  try {
    return Object(JSON.parse(text)) as Line;
  } catch {
    throw badFile("data", where, "is not JSON");
  }
}

/** Returns a label's name in the task; rows may have its number instead. */
function nameOf(label: unknown, classes: readonly string[]): string {
  const text = String(label as Json);
  return classes.includes(text) ? text : classes[Number(text)] ?? text;
}

/** Returns the split whose rows the predictions describe. Throws AttuneError that says why each split does not fit. */
export async function splitOfScores(
  file: string,
  { labels }: UnseenScores,
  classes: readonly string[],
  splits: readonly Readonly<{ name: SplitName; rows: AsyncIterable<Readonly<{ row: Row }>> }>[],
  columns: readonly string[],
): Promise<SplitName> {
  const reasons: string[] = [];
  for (const { name, rows } of splits) {
    let [at, other] = [0, -1];
    for await (const { row } of rows) {
      const label = labels[at];
      if (other < 0 && !columns.some((column) => nameOf(row[column], classes) === label)) other = at;
      at++;
    }
    if (at === labels.length && other < 0) return name;
    reasons.push(at === labels.length ? `${name} has another label in row ${other}` : `${name} has ${at} rows`);
  }
  throw badFile("data", file, `its ${labels.length} rows match no split: ${reasons.join(", ")}`);
}
