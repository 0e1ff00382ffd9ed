/** Names of classes as rows have them, where nobody gave them. */
import * as v from "valibot";
import { asNumber } from "../../core/data/class_reader.ts";
import { badValue, missing } from "../../core/base/errors.ts";

/** A name of a class, as people write it: 1 is "1". */
export type Label = string | number | boolean;

/** Names of classes, none of them twice. */
export const labelsSchema: v.GenericSchema<readonly Label[], readonly string[]> = v.pipe(
  v.array(v.pipe(v.union([v.string(), v.number(), v.boolean()], "the name of a class"), v.transform(String))),
  v.minLength(1),
  v.check((labels) => new Set(labels).size === labels.length, "distinct labels"),
);

/** More classes than this are taken for a column of something else. */
const MOST = 1000;

/**
 * The distinct values of a column of classes as names, sorted: as numbers where all are, else by code points.
 *
 * @throws AttuneError if a value is no name of a class, or there are too many of them.
 */
export function classesIn(values: Iterable<readonly [row: number, value: unknown]>): readonly string[] {
  const names = new Map<string, number | undefined>();
  for (const [at, value] of values) {
    const number = asNumber(value);
    if (number !== undefined && !Number.isInteger(number)) {
      throw badValue(
        "labels",
        `row ${at}`,
        value,
        'the name or number of a class (for numbers, set task.with.problemType to "regression")',
      );
    }
    if (number === undefined && typeof value !== "string" && typeof value !== "boolean") {
      throw badValue("labels", `row ${at}`, value, "the name or number of a class");
    }
    // 1, "1" and "1.0" are one class, "01" is another.
    const text = String(value);
    names.set(number !== undefined && !/^0\d/.test(text.trim()) ? String(number) : text, number);
    if (names.size > MOST) {
      throw badValue(
        "labels",
        "the rows",
        `more than ${MOST} labels`,
        "fewer classes, or their names in task.with.labels",
      );
    }
  }
  if (names.size === 0) throw missing("labels", "task.with.labels", "the spec, and the rows have none");
  const all = [...names];
  const numbers = all.every(([, number]) => number !== undefined);
  return all.sort(([a, m], [b, n]) => (numbers ? Number(m) - Number(n) : a < b ? -1 : 1)).map(([name]) => name);
}

/** Whether a column that may have names of classes has their numbers; -1 and nothing are rows without a class. */
export function areNumbersOf(names: readonly string[], values: readonly unknown[]): boolean {
  return values.every((value) =>
    value === null || (typeof value === "number" && Number.isInteger(value) && value >= -1 && value < names.length)
  );
}
